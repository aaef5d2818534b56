"""What the façade's ``Tending`` does: the doctor, backups, and collecting what nobody needs.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from remit.errors import PluginFailed, UsageError
from remit.host.facade.views import BackupView, Examined
from remit.host.home.backup import write_backup
from remit.host.home.home import Home
from remit.host.operations.doctoring import check_ids, examine_home, mended
from remit.host.operations.governance import Context
from remit.host.operations.supplies import Supplies
from remit.host.plugging import Plugins
from remit.journal import Archived, Draft, archive
from remit.units import Garbage

__all__ = ["Upkeep"]


class Upkeep(Supplies):
    """See the façade."""

    def doctor(self, context: Context) -> list[Examined]:
        return list(examine_home(self._rooms, context.progress))

    def mend(self, context: Context, checks: tuple[str, ...]) -> list[Examined]:
        self._allow(context, "home:tend")
        unknown = sorted(set(checks) - check_ids(self._rooms))
        if unknown:
            raise UsageError(f"there is no check {unknown[0][:80]!r}", remedy="run 'remit doctor' for their names")
        found = list(examine_home(self._rooms, context.progress, frozenset(checks)))
        drafts = [
            Draft(type="home.mended", subject=str(one["check"]), data={**one, "by": context.caller.principal})
            for one in mended(found)
        ]
        if drafts:
            self._rooms.journal.append(drafts)
        return found

    def backup(self, context: Context, path: str) -> BackupView:
        if not Path(path).is_absolute():
            raise UsageError(f"{path[:200]!r} is not an absolute path")
        self._allow(context, "home:backup")
        rooms = self._rooms
        # Blobs are written before the record that names them: those of this moment are all that the copy can name.
        with rooms.lifecycle.steady():
            made = write_backup(rooms.home, rooms.journal, Path(path), context.progress)
        rooms.journal.append([Draft(type="home.saved", data=msgspec.to_builtins(made))])
        return made

    def archive(self, context: Context, keep: int) -> Archived:
        if keep < 0:
            raise UsageError("a number of records is not negative")
        self._allow(context, "home:tend")
        with self._rooms.lifecycle.steady():  # a backup has all of a segment, in one place or the other
            return archive(self._rooms.journal, keep, context.progress, by=context.caller.principal)

    def gc(self, context: Context, keep: int, dry_run: bool) -> Garbage:
        if keep < 0:
            raise UsageError("a number of generations is not negative")
        rooms = self._rooms
        roots = _roots(rooms.plugins, rooms.home)
        return rooms.lifecycle.gc(context.caller, keep=keep, roots=roots, dry_run=dry_run)


def _roots(plugins: Plugins, home: Home) -> list[str]:
    """What the plugins need of the blobs. One that cannot say so stops the collection: its blobs would be gone."""
    hook, found = "remit_gc_roots", []
    for name in plugins.implements(hook):
        asked = plugins.hook_of(name, hook)
        said = plugins.run(name, hook, lambda home, asked=asked: [list(asked(home) or ())], home)
        if said is None:
            raise PluginFailed(f"the plugin {name} cannot say which blobs it needs, so nothing was removed")
        found += said[0]
    return found
