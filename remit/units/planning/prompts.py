"""The prompts of a generation's units: words for agents, pinned with their unit's digest; a plan tells what changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from remit.errors import ActionUnknown, RemitError
from remit.journal import digest_of, encode_json
from remit.kernel.model import UnitRef
from remit.units.generations.generation import Generation
from remit.units.manifest import Manifest, Prompt
from remit.units.planning.plan import Finding

__all__ = ["OfferedPrompt", "prompt_changes", "prompt_named", "prompts_of"]

Manifests = Callable[[str], Manifest]
"""The manifest of a unit by its digest."""


class OfferedPrompt(msgspec.Struct, frozen=True):
    """A prompt of an active unit."""

    unit: UnitRef
    prompt: Prompt

    @property
    def name(self) -> str:
        """``publisher/name:prompt``."""
        return f"{self.unit.id}:{self.prompt.name}"

    @property
    def digest(self) -> str:
        """The digest of all that is told of it, and of its words."""
        return digest_of(b"remit/prompt/1\n" + encode_json(self.prompt))


def prompts_of(generation: Generation, manifest: Manifests) -> list[OfferedPrompt]:
    """Every prompt of a generation. A unit whose files are gone has none: its calls say why."""
    found: list[OfferedPrompt] = []
    for unit in generation.units:
        try:
            found += [OfferedPrompt(unit.ref, prompt) for prompt in manifest(unit.ref.digest).prompts]
        except RemitError:
            continue
    return found


def prompt_named(generation: Generation, manifest: Manifests, name: str) -> OfferedPrompt:
    """One prompt of a generation by its name.

    :raises ActionUnknown: if no active unit has it
    """
    unit_id, _, short = name.partition(":")
    unit = generation.unit(unit_id)
    if unit is not None:
        for prompt in manifest(unit.ref.digest).prompts:
            if prompt.name == short:
                return OfferedPrompt(unit.ref, prompt)
    raise ActionUnknown(f"no active unit has the prompt {name[:200]!r}", remedy="list the prompts")


def prompt_changes(active: Generation, candidate: Generation, manifest: Manifests) -> list[Finding]:
    """What agents will be told otherwise: prompts that come, go or change. Nothing for units that stay as they are."""
    before, after = _by_unit(active), _by_unit(candidate)
    found = []
    for unit in [*after, *(unit for unit in before if unit not in after)]:
        if before.get(unit) != after.get(unit):
            was, now = (_told(side.get(unit), manifest) for side in (before, after))
            found += [_finding(unit, words) for words in _differences(was, now)]
    return found


def _by_unit(generation: Generation) -> dict[str, str]:
    return {unit.ref.id: unit.ref.digest for unit in generation.units}


def _told(digest: str | None, manifest: Manifests) -> Mapping[str, Prompt]:
    try:
        return {} if digest is None else {prompt.name: prompt for prompt in manifest(digest).prompts}
    except RemitError:  # a unit that goes, and whose files are gone already
        return {}


def _differences(was: Mapping[str, Prompt], now: Mapping[str, Prompt]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if name not in was:
            yield f"the prompt {name!r} is new"
        elif name not in now:
            yield f"the prompt {name!r} goes"
        elif was[name] != now[name]:
            yield f"the prompt {name!r} changes"


def _finding(unit: str, words: str) -> Finding:
    return Finding(
        severity="warning", id="prompt.changed", unit=unit, message=f"{words}: agents are told its words",
        remedy="read them with 'remit unit show'",
    )  # fmt: skip
