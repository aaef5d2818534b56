"""Work on files that needs no kernel: making a home, checking and building a unit, checking policies, reading journals.

These answer even where a kernel would refuse to start: a broken policy or journal is what they are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import ArtifactInvalid, ImportRefused, ManifestInvalid, ValueInvalid
from remit.host.home.home import Home
from remit.journal import Journal, Progress, VerifyReport, no_progress, translate_os_error, verify
from remit.policy.plugin import check_home
from remit.schemas import Fault
from remit.schemas.folder import read_inside
from remit.schemas.toml import MAX_TOML_BYTES
from remit.units.manifest import Manifest, check, draft, draft_id, parse
from remit.units.manifest.files import MANIFEST
from remit.units.manifest.mending import Mend, mended
from remit.units.toolchains.artifact import inside, write_atomically
from remit.units.toolchains.build import build

if TYPE_CHECKING:
    from remit.sandbox.code.inspecting import Inspection

__all__ = [
    "authorize_corpus",
    "build_unit",
    "check_cases",
    "check_policies",
    "check_unit",
    "draft_manifest",
    "format_policies",
    "home_policies",
    "init",
    "inspect_file",
    "lint_policies",
    "mend_unit",
    "permit_native",
    "read_journal",
    "sound_manifest",
    "verify_journal",
]

_PERMIT = """\
@id("native.{name}")
@why("its author tries it here")
permit (principal == Remit::Unit::"{unit}", action == Remit::Action::"unit:native", resource);
"""


def init(root: Path | str) -> Home:
    """Make a home: ``remit.toml``, ``policy/`` and the kernel's private folder with an empty journal.

    :raises HomeExists: if one stands there
    """
    home = Home.create(Path(root))
    journal = Journal(home.private, home.clock, home.ids)
    home.id = journal.home_id
    journal.close()
    return home


def permit_native(root: Path | str, folder: Path | str) -> None:
    """Have a home that is there for trying run the unit in a folder, if it is native: whoever tries it wrote it.

    :raises HomeReadOnly: if the policy cannot be written
    """
    manifest, _ = check_unit(folder)
    if manifest is None or manifest.native is None:
        return
    name = manifest.id.replace("/", "-")
    file = Path(root, "policy", f"native-{name}.cedar")
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(_PERMIT.format(name=name, unit=manifest.id), "utf-8")
    except OSError as error:
        raise translate_os_error(error, f"writing {file}") from error


def check_unit(folder: Path | str) -> tuple[Manifest | None, list[Fault]]:
    """Every fault of a unit's folder; the artifact need not be built yet."""
    return check(Path(folder), artifact=False)


def sound_manifest(folder: Path | str) -> Manifest:
    """The manifest of a unit's folder that has no fault; the artifact need not be built yet.

    :raises ManifestInvalid: if it has any; the message says the first, the details all
    """
    manifest, faults = check_unit(folder)
    if manifest is None or faults:
        first = f"{faults[0].path} {faults[0].message}".strip()
        raise ManifestInvalid(f"{folder} has {len(faults)} fault(s): {first}", faults=msgspec.to_builtins(faults))
    return manifest


def mend_unit(folder: Path | str) -> list[Mend]:
    """Put right in a unit's manifest what has only one meaning, and give each change; nothing else is touched.

    :raises ManifestInvalid: if there is no manifest that can be read
    :raises BuildFailed: if it cannot be written
    """
    root = Path(folder)
    try:
        data = read_inside(root, MANIFEST, limit=MAX_TOML_BYTES)
        text = None if data is None else data.decode()
    except (ValueInvalid, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{root / MANIFEST} cannot be read: {error}") from error
    if text is None:
        raise ManifestInvalid(f"{root} has no {MANIFEST}", remedy="make a unit with 'remit unit new'")
    changed, mends = mended(text)
    if mends:
        write_atomically(inside(root, MANIFEST), changed.encode())
    return mends


def build_unit(folder: Path | str, progress: Progress = no_progress) -> Path:
    """Make a unit's artifact from its source and give its path.

    :raises ManifestInvalid: if ``unit.toml`` has faults
    :raises BuildFailed: if the toolchain refuses
    """
    manifest, faults = check_unit(folder)
    if manifest is None:
        raise ManifestInvalid(
            f"{folder} has {len(faults)} fault(s): {faults[0].path} {faults[0].message}",
            faults=msgspec.to_builtins(faults),
        )
    return build(Path(folder), manifest, progress)


def inspect_file(path: Path | str, progress: Progress = no_progress) -> Inspection:
    """What a component imports and exports, the actions that could be made of it, and what it would need.

    :raises ArtifactInvalid: if it is no component, or takes too much to compile
    """
    from remit.sandbox.code.inspecting import MAX_COMPONENT, inspect_component  # noqa: PLC0415 - wasmtime loads when wanted

    try:
        with Path(path).open("rb") as file:
            component = file.read(MAX_COMPONENT + 1)
    except OSError as error:
        raise ArtifactInvalid(f"{path} cannot be read: {error.strerror}", remedy="name a component's file") from error
    return inspect_component(component, progress)


def draft_manifest(path: Path | str, progress: Progress = no_progress) -> str:
    """A ``unit.toml`` for a component that lies beside it: its functions as actions, the rest as comments.

    :raises ArtifactInvalid: if it is no component, takes too much to compile, or exports nothing that can be called
    :raises ImportRefused: if it imports what no host offers
    """
    found = inspect_file(path, progress)
    if found.refused:
        raise ImportRefused(
            f"{path} imports what no host offers: {', '.join(found.refused)}", imports=list(found.refused)
        )
    actions = [(action.name, action.export) for action in found.actions if action.schemas is not None]
    if found.world == "other" and not actions:
        why = "; ".join(f"{action.name}: {action.problem}" for action in found.actions)
        raise ArtifactInvalid(f"{path} exports no function that can be called: {why or 'it exports none'}")
    file = Path(path)
    text = draft(draft_id(found.exports, file.stem), file.name, found.exports, actions, found.capabilities)
    parse(text.encode())
    return text


def check_policies(root: Path | str) -> list[Any]:
    """What is wrong with a home's policies."""
    return check_home(Home.open(root))


def home_policies(root: Path | str) -> tuple[str, dict[str, str]]:
    """A home's posture and its own policy files, by path relative to the home.

    :raises PolicyInvalid: if a file cannot be read
    """
    from remit.policy.postures import read_files  # noqa: PLC0415
    from remit.policy.sets.findings import refuse  # noqa: PLC0415 - here and below: the policy room loads on use

    home = Home.open(root)
    files, findings = read_files(home.root, home.config.policy.files)
    if findings:
        raise refuse(findings)
    return home.config.policy.posture, files


def lint_policies(posture: str, files: Mapping[str, str]) -> list[Any]:
    """Every error and warning about policy texts, found by a process of its own."""
    from remit.policy.reviewing.lint import lint_in_child  # noqa: PLC0415

    return lint_in_child(posture, files)


def format_policies(file: str, text: str) -> str:
    """A policy text as Cedar lays it out.

    :raises PolicyInvalid: if it does not parse, or is not fit to be parsed
    """
    from remit.policy.sets.layout import formatted  # noqa: PLC0415

    return formatted(file, text)


def check_cases(posture: str, files: Mapping[str, str], cases: Mapping[str, str]) -> tuple[list[Any], str]:
    """Run policy tests over a set: the result of each case, and all of them as JUnit XML.

    :raises PolicyInvalid: if the set may not be loaded, or a test file is malformed
    """
    from remit.policy.postures import load  # noqa: PLC0415
    from remit.policy.reviewing.cases import junit, run_cases  # noqa: PLC0415

    results = run_cases(load(posture, files).engine, cases)
    return list(results), junit(results)


def authorize_corpus(
    policies: str, entities: str, schema: str | None, requests: Iterable[str]
) -> Iterator[tuple[Any, str]]:
    """Plain Cedar's verdict on each line of requests, with the line's fault; nothing of Remit's policies is mixed in.

    :raises PolicyInvalid: if the policies, the schema or the entities cannot be read
    """
    from remit.policy.sets.corpus import authorize_lines  # noqa: PLC0415

    return authorize_lines(policies, entities, schema, requests)


def read_journal(root: Path | str) -> Journal:
    """The journal of a home for reading, whether or not a kernel runs.

    :raises JournalError: if it cannot be trusted or read
    """
    home = Home.open(root)
    return Journal(home.private, home.clock, home.ids, write=False)


def verify_journal(root: Path | str, progress: Progress = no_progress) -> VerifyReport:
    """Check a home's journal, whether or not a kernel runs.

    :raises ChainBroken: at the first row that does not follow
    :raises JournalTruncated: if it ends before its checkpoint
    """
    journal = read_journal(root)
    try:
        return verify(journal, progress)
    finally:
        journal.close()
