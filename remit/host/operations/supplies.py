"""What the façade's ``Supplying`` does: resolving, locking and admitting what is wanted.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from remit.errors import PluginFailed, RegistryUnreachable, SourceUnknown
from remit.host.operations.governance import Context, Governance
from remit.host.plugging import Plugins
from remit.journal import Progress
from remit.kernel.model import Bundle, Release
from remit.kernel.ports import BundleSource, ReleaseSource
from remit.units import Question, Supplier, Supply

__all__ = ["Supplies"]

_FETCH_S = 600.0
"""How long a plugin's source may take for one unit: a download, and not a hook."""


class Supplies(Governance):
    """See the façade."""

    def _fetch(self, reference: str, progress: Progress) -> Bundle:
        for plugin, source in self._rooms.sources:
            if self._rooms.plugins.run(plugin, "source.accepts", source.accepts, reference):
                return self._fetched(plugin, source, reference, progress)
        raise SourceUnknown(f"no unit source understands {reference[:200]!r}")

    def _fetched(self, plugin: str, source: BundleSource, reference: str, progress: Progress) -> Bundle:
        waited_for = [True]

        def told(stage: str, share: float) -> None:
            if waited_for[0]:  # a fetch that was given up may come back and go on talking
                progress(stage, share)

        try:
            fetch = partial(source.fetch, reference, told)
            return self._rooms.plugins.ask(plugin, "source.fetch", fetch, kind=Bundle, deadline_s=_FETCH_S)
        finally:
            waited_for[0] = False

    def _questions(self) -> Sequence[Question]:
        sources = [(plugin, source) for plugin, source in self._rooms.sources if isinstance(source, ReleaseSource)]
        return [_question(self._rooms.plugins, plugin, source) for plugin, source in sources]

    @property
    def _supplier(self) -> Supplier:
        return Supplier(self._rooms.lifecycle, self._rooms.home.reload, self._fetch, self._questions)

    def sync(self, context: Context, prune: bool, allow_unsigned: bool) -> Supply:
        return self._supplier.sync(
            context.caller, prune=prune, allow_unsigned=allow_unsigned, progress=context.progress
        )

    def sync_check(self, context: Context, prune: bool) -> Supply:
        return self._supplier.sync(context.caller, check=True, prune=prune, progress=context.progress)

    def adopt(self, context: Context) -> Supply:
        return self._supplier.adopt(context.caller)

    def upgrade(
        self, context: Context, units: tuple[str, ...], allow_unsigned: bool, allow_signer_change: bool
    ) -> Supply:
        return self._supplier.upgrade(
            units,
            context.caller,
            allow_unsigned=allow_unsigned,
            allow_signer=allow_signer_change,
            progress=context.progress,
        )

    def upgrade_preview(self, context: Context, units: tuple[str, ...]) -> Supply:
        return self._supplier.upgrade(units, context.caller, preview=True, progress=context.progress)


def _question(plugins: Plugins, plugin: str, source: ReleaseSource) -> Question:
    """What a source has, asked beside the kernel where it is a plugin's; one that fails is a source out of reach."""
    if plugins.is_builtin(plugin):
        return source.releases()
    moment: list[Question] = []

    def answer(unit: str) -> list[list[Release] | None]:
        if not moment:
            moment.append(source.releases())
        found = moment[0](unit)
        return [None if found is None else msgspec.convert(found, list[Release])]

    def asked(unit: str) -> Sequence[Release] | None:
        try:
            [found] = plugins.ask(plugin, "source.releases", answer, unit, kind=list)
        except PluginFailed as error:
            raise RegistryUnreachable(error.message, remedy=error.remedy) from error
        releases: list[Release] | None = found
        return releases

    return asked
