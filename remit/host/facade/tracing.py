"""The façade's part for looking into what ran: episodes, their traces, and what units said in their logs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from remit.host.facade.views import EpisodeView, LogLine, StateAt
from remit.host.models.spans import Trace
from remit.journal import Progress, no_progress
from remit.kernel.model import Caller

__all__ = ["Tracing"]

T = TypeVar("T")
_LOCAL = Caller()


class Tracing(ABC):
    """Mixed into the façade. An episode is named by its correlation id, a record of it, its trace id, or ``last``."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def latest(self, model: str, *, caller: Caller = _LOCAL) -> StateAt:
        """A read model now, with the record that it is at.

        :raises ModelUnknown: if there is none with that name
        """
        return self.perform("latest", {"model": model}, StateAt, caller=caller, progress=no_progress)

    def trace(self, episode: str, *, caller: Caller = _LOCAL) -> Trace:
        """The spans of one episode.

        :raises EpisodeUnknown: if there is none
        """
        return self.perform("trace", {"episode": str(episode)}, Trace, caller=caller, progress=no_progress)

    def episode(self, episode: str, *, caller: Caller = _LOCAL) -> EpisodeView:
        """Everything of one episode: its records and spans, and what was active when it began.

        :raises EpisodeUnknown: if there is none
        """
        return self.perform("episode", {"episode": str(episode)}, EpisodeView, caller=caller, progress=no_progress)

    def logs(
        self,
        after: int = 0,
        *,
        unit: str = "",
        episode: str = "",
        last: int = 0,
        until: int = 0,
        caller: Caller = _LOCAL,
    ) -> list[LogLine]:
        """What units logged, and what failed or was refused: of records after ``after``, or the newest ``last`` lines.

        :param until: the last record to look at; 0 for all
        """
        arguments = {"after": after, "unit": unit, "episode": episode, "last": last, "until": until}
        return self.perform("logs", arguments, list[LogLine], caller=caller, progress=no_progress)
