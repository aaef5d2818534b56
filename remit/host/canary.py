"""The kernel ends a trial whose arm fails too often, whether or not anybody watches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from remit.errors import RemitError
from remit.journal import Folds, Journal, Record
from remit.kernel.model import Caller
from remit.units import Lifecycle
from remit.units.generations.experiments import Experiment, Experiments
from remit.units.generations.terms import percent

__all__ = ["Canary"]

_log = logging.getLogger(__name__)
_KERNEL = Caller(principal="kernel")


class Canary:
    """Watches the trials of one kernel. What it judges by is in the journal: a restart goes on where it was."""

    def __init__(self, journal: Journal, folds: Folds, lifecycle: Lifecycle) -> None:
        self._folds = folds
        self._lifecycle = lifecycle
        self._awake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="remit-canary", daemon=True)
        journal.observe(self._heard)

    def start(self) -> None:
        """Watch from now on, what failed before the start first."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """Look once more, then watch no more; the next start does."""
        self._closing = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
            self._look()

    def turn(self) -> None:
        """End the trials that fail too often by now."""
        if not self._lifecycle.generations.active.trials:
            return
        experiments: Experiments = self._folds.state("experiments")
        for one in experiments.running():
            if one.terms.trips(one.trial.calls, one.trial.failed):
                self._lifecycle.end_trial(one.id, _KERNEL, _why(one))

    def _heard(self, records: Sequence[Record]) -> None:
        # Nothing else makes an arm's failures too many: terms that they exceed already are not accepted.
        if any(record.event.type == "action.failed" for record in records):
            self._awake.set()

    def _run(self) -> None:
        while self._awake.wait() and not self._closing:
            self._awake.clear()
            self._look()

    def _look(self) -> None:
        try:
            self.turn()
        except RemitError:
            _log.exception("looking after trials failed")


def _why(one: Experiment) -> str:
    arm, bound = one.trial, percent(one.terms.errors)
    return f"{arm.failed} of its {arm.calls} calls failed; its terms allow {bound}"
