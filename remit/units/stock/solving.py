"""Which versions fit together: ranges that are wanted, and what each candidate needs in turn. Pure.

The search is resolvelib's, the one pip uses; this module tells it what units, versions and ranges are. Versions that
were held before are tried first, so an answer changes only where it must; then the best comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from remit.errors import UnitsUnresolved
from remit.kernel.model import Release
from remit.schemas.versions import Version, is_range, is_version, parse_range

__all__ = ["solve"]

_MOST_ROUNDS = 20_000
_SHOWN = 6


class _Need(NamedTuple):
    """A unit in a range, and who needs it."""

    unit: str
    range: str
    by: str

    def __str__(self) -> str:
        return f"{self.by} needs {self.unit} {self.range}"


def solve(
    wanted: Mapping[str, str], releases: Callable[[str], Sequence[Release]], held: Mapping[str, str]
) -> list[Release]:
    """One version of every wanted unit and of all that they need, those that are needed before those that need them.

    :param wanted: ranges by unit
    :param releases: every version of a unit that is to be had; asked once for each unit
    :param held: digests by unit: what was chosen before stays, if it fits and was not withdrawn
    :raises UnitsUnresolved: if nothing fits; the message says who needs what
    """
    provider = _Provider(releases, held)
    needs = [_Need(unit, text, "remit.toml") for unit, text in wanted.items()]
    try:
        found = Resolver(provider, BaseReporter()).resolve(needs, max_rounds=_MOST_ROUNDS)
    except ResolutionImpossible as error:
        raise provider.explain(cause.requirement for cause in error.causes) from error
    except ResolutionTooDeep as error:
        raise UnitsUnresolved("no versions that fit were found within the bound of the search") from error
    return list(_needed_first(found.mapping))


class _Provider(AbstractProvider[_Need, Release, str]):
    """Units for resolvelib. Kept by one search."""

    def __init__(self, releases: Callable[[str], Sequence[Release]], held: Mapping[str, str]) -> None:
        self._ask = releases
        self._held = held
        self._known: dict[str, list[Release]] = {}

    def identify(self, requirement_or_candidate: _Need | Release) -> str:
        if isinstance(requirement_or_candidate, Release):
            return requirement_or_candidate.id
        return requirement_or_candidate.unit

    def get_preference(
        self,
        identifier: str,
        resolutions: Any,  # noqa: ARG002 - here and below: the library's signature
        candidates: Any,
        information: Any,  # noqa: ARG002
        backtrack_causes: Any,  # noqa: ARG002
    ) -> Any:
        # What has the fewest ways goes first: a dead end shows early.
        return (sum(1 for _ in candidates[identifier]), identifier)

    def find_matches(self, identifier: str, requirements: Any, incompatibilities: Any) -> list[Release]:
        needs, refused = list(requirements[identifier]), {one.digest for one in incompatibilities[identifier]}
        return [
            release
            for release in self.standing(identifier)
            if release.digest not in refused and all(self.is_satisfied_by(need, release) for need in needs)
        ]

    def is_satisfied_by(self, requirement: _Need, candidate: Release) -> bool:
        return is_range(requirement.range) and Version(candidate.version) in parse_range(requirement.range)

    def get_dependencies(self, candidate: Release) -> list[_Need]:
        by = f"{candidate.id}@{candidate.version}"
        return [_Need(unit, text, by) for unit, text in sorted(candidate.requires.items())]

    def standing(self, unit: str) -> list[Release]:
        """What may be chosen of a unit: what is held first, then by version, the best first."""
        return [release for release in self._all(unit) if not release.withdrawn]

    def _all(self, unit: str) -> list[Release]:
        if unit not in self._known:
            held = self._held.get(unit)
            # One version with two contents can come from two places: the digest makes the order certain.
            found = [one for one in self._ask(unit) if is_version(one.version)]
            found.sort(key=lambda one: (one.digest == held, Version(one.version), one.digest), reverse=True)
            self._known[unit] = found
        return self._known[unit]

    def explain(self, needs: Iterable[_Need]) -> UnitsUnresolved:
        """The error for needs that nothing meets together."""
        causes = sorted(set(needs))
        units = sorted({need.unit for need in causes})
        said = "; ".join(map(str, causes[:_SHOWN]))
        there = "; ".join(f"{unit} has {self._versions(unit)}" for unit in units[:_SHOWN])
        return UnitsUnresolved(f"{said}; {there}", needs=[need._asdict() for need in causes])

    def _versions(self, unit: str) -> str:
        shown = [f"{one.version} ({one.withdrawn})" if one.withdrawn else one.version for one in self._all(unit)]
        return ", ".join(shown[:_SHOWN]) or "no version anywhere"


def _needed_first(chosen: Mapping[str, Release]) -> Iterator[Release]:
    """Each after what it needs; units that need each other come in the order of their ids, and the plan says so."""
    done: set[str] = set()
    for unit in sorted(chosen):
        stack = [(unit, iter(sorted(chosen[unit].requires)))]
        open_: set[str] = {unit}
        while stack:
            at, needs = stack[-1]
            following = next((one for one in needs if one in chosen and one not in open_ and one not in done), None)
            if following is not None:
                open_.add(following)
                stack.append((following, iter(sorted(chosen[following].requires))))
                continue
            stack.pop()
            if at not in done:
                done.add(at)
                yield chosen[at]
