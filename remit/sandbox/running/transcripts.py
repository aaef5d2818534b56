"""Takes a call down, and plays it again from what was taken down alone: no authority, no network, no clock.

A guest in the sandbox is a function of its input and of the host's answers. A full transcript holds both, so a replay
gives the same bytes, or says where it went another way. Secrets and parameters are not in it: whoever replays brings
them. In ``digests`` mode only digests of what went through the door are kept, enough to prove, not to replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from remit.errors import ReplayDiverged, TranscriptInvalid
from remit.journal import digest_of, encode_json
from remit.kernel.answers import Ok, Refusal, Refused
from remit.kernel.hostcall import HostCall
from remit.kernel.model import GuestOutcome, Program
from remit.kernel.ports import Runner
from remit.kernel.scope import Scope
from remit.schemas import formats, mask

__all__ = ["MAX_TRANSCRIPT", "Taken", "Transcriber", "Transcript", "read_transcript", "replay"]

MAX_TRANSCRIPT = 32 << 20
"""Bytes of what is taken down of one call; the rest is dropped, and the transcript says so."""

_OVERHEAD = 64
"""Bytes of one host call beside its values, about."""
_ENCODER = msgspec.json.Encoder()
_SECRET = ("secrets", "read")
_PARAMETERS = ("parameters", "get")


class Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """One host call. In ``digests`` mode ``arguments`` and ``value`` are digests of themselves."""

    interface: str
    function: str
    arguments: Any
    value: Any = None
    refused: Refusal | None = None
    message: str = ""


class Transcript(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call as it was."""

    format: str
    mode: Literal["digests", "full"]
    program: Program
    export: str
    arguments: Any
    """What the guest was given; a digest in ``digests`` mode."""
    engine: str
    """Fingerprint of the engine that ran it."""
    clock_ms: int
    """The wall clock when it began. What the guest saw of time and randomness is in ``calls``: there is no seed."""
    instance: str = ""
    calls: tuple[Taken, ...] = ()
    outcome: GuestOutcome | None = None
    """What the guest answered, with its fuel; ``None`` if it was stopped."""
    dropped: int = 0
    """Host calls that no longer fitted."""


class Transcriber:
    """The recorder of one call; see :class:`remit.kernel.answers.Recorder`."""

    def __init__(
        self, mode: Literal["digests", "full"], scope: Scope, export: str, arguments: tuple[Any, ...], engine: str
    ) -> None:
        self.outcome: GuestOutcome | None = None
        self._mode = mode
        self._scope = scope
        self._began = (export, arguments, engine, scope.clock.now_ms())
        self._calls: list[HostCall] = []
        self._size = 0
        self._dropped = 0

    def __call__(self, call: HostCall) -> None:
        """Take one host call down."""
        answer = call.answer.value if isinstance(call.answer, Ok) else call.answer.message
        self._size += _OVERHEAD + _size(call.arguments) + _size(answer)
        if self._size > MAX_TRANSCRIPT:
            self._dropped += 1
        else:
            self._calls.append(call)

    def transcript(self) -> bytes:
        """The whole call as one blob, without secrets and parameters."""
        export, arguments, engine, clock_ms = self._began
        full = self._mode == "full"
        whole = Transcript(
            format=formats.TRANSCRIPT,
            mode=self._mode,
            program=self._scope.program,
            export=export,
            arguments=arguments if full else _digest(arguments),
            engine=engine,
            clock_ms=clock_ms,
            instance=self._calls[0].instance if self._calls else "",
            calls=tuple(_taken(call, full=full) for call in self._calls),
            outcome=self.outcome if full or self.outcome is None else _digested(self.outcome),
            dropped=self._dropped,
        )
        data = _ENCODER.encode(whole)
        secrets = self._scope.secrets
        # Looking is quick, and masking is not: most calls read no secret.
        if secrets and mask(text := data.decode(), secrets) != text:
            return _ENCODER.encode(mask(msgspec.to_builtins(whole), secrets))
        return data


def _size(value: Any) -> int:
    """About how much room a value of the door takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 8


def _taken(call: HostCall, *, full: bool) -> Taken:
    where = (call.interface, call.function)
    answer = call.answer
    arguments = call.arguments if full else _digest(call.arguments)
    if isinstance(answer, Refused):
        return Taken(*where, arguments, refused=answer.code, message=answer.message if full else "")
    if where == _SECRET:
        return Taken(*where, arguments)  # not even its digest: a short secret could be guessed from it
    return Taken(*where, arguments, answer.value if full and where != _PARAMETERS else _digest(answer.value))


def _digested(outcome: GuestOutcome) -> GuestOutcome:
    return msgspec.structs.replace(outcome, text=_digest(outcome.text))


def _digest(value: Any) -> str:
    return digest_of(encode_json(value))


# ---- replay ----


def read_transcript(data: bytes) -> Transcript:
    """A transcript from its bytes.

    :raises TranscriptInvalid: if they are not one of a format that this version reads
    """
    try:
        found = msgspec.json.decode(data, type=Transcript)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TranscriptInvalid(f"the bytes are no transcript: {str(error)[:200]}") from error
    if found.format != formats.TRANSCRIPT:
        raise TranscriptInvalid(f"the transcript is {found.format[:40]!r}; this version reads {formats.TRANSCRIPT!r}")
    return found


def replay(
    transcript: Transcript,
    runner: Runner,
    load: Callable[[], bytes],
    *,
    parameters: str = "",
    secrets: Mapping[str, str] | None = None,
) -> GuestOutcome:
    """Run the call again, every host call answered from the transcript.

    :param load: gives the artifact's bytes
    :param parameters: the unit's parameters as JSON text, where the call asked for them
    :param secrets: by name, those that the call read
    :raises TranscriptInvalid: if it is not full, or was cut
    :raises ReplayDiverged: if the guest asks for something else than it did, or answers something else
    :raises SandboxError: if the guest traps or reaches a limit, as it may have done then
    """
    if transcript.mode != "full" or transcript.dropped:
        raise TranscriptInvalid("only a full and whole transcript replays", remedy="record the call with mode 'full'")
    program = transcript.program
    door = _ReplayDoor(transcript.calls, parameters, dict(secrets or {}))
    runner.prepare(program.artifact, load, metered=program.limits.fuel is not None)
    arguments = door.revealed(transcript.arguments)
    found = runner.run(program, transcript.export, tuple(arguments), door, program.limits.deadline_ms)
    door.finished()
    if transcript.outcome is not None and door.masked(found) != msgspec.to_builtins(transcript.outcome):
        raise ReplayDiverged("the guest answered something else than it did when it was recorded")
    return found


class _ReplayDoor:
    """Answers the n-th host call as it was answered then, if it is the same call."""

    def __init__(self, calls: tuple[Taken, ...], parameters: str, secrets: dict[str, str]) -> None:
        self.abort: BaseException | None = None
        self.partition = "replay"
        self._calls = calls
        self._parameters = parameters
        self._secrets = secrets
        self._n = 0

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Ok | Refused:
        if self.abort is not None:
            return Refused("unavailable", "the replay is being stopped")
        self._n += 1
        if self._n > len(self._calls):
            return self._diverged(f"the guest calls {interface}.{function} where it made no more calls")
        taken = self._calls[self._n - 1]
        asked = [interface, function, self.masked(arguments)]
        if asked != [taken.interface, taken.function, taken.arguments]:
            then = f"{taken.interface}.{taken.function}"
            return self._diverged(f"the guest calls {interface}.{function}, where it called {then} then")
        return self._answer(taken)

    def _answer(self, taken: Taken) -> Ok | Refused:
        if taken.refused is not None:
            return Refused(taken.refused, taken.message)
        where = (taken.interface, taken.function)
        if where == _SECRET:
            name = taken.arguments[0]
            if name not in self._secrets:
                return self._diverged(f"the replay needs the secret {name[:128]!r}")
            return Ok(self._secrets[name])
        if where == _PARAMETERS:
            if _digest(self._parameters) != taken.value:
                return self._diverged("the replay needs the parameters that the call had")
            return Ok(self._parameters)
        return Ok(self.revealed(taken.value))

    def _diverged(self, why: str) -> Refused:
        self.abort = ReplayDiverged(f"host call {self._n}: {why}")
        return Refused("unavailable", "the replay is being stopped")

    def finished(self) -> None:
        """The guest returned.

        :raises ReplayDiverged: if it made fewer calls than then
        """
        if self.abort is not None:
            raise self.abort
        if self._n < len(self._calls):
            raise ReplayDiverged(f"the guest made {self._n} host calls, where it made {len(self._calls)} then")

    def masked(self, value: Any) -> Any:
        """A value as the transcript has it."""
        return mask(msgspec.json.decode(encode_json(value)), self._secrets)

    def revealed(self, value: Any) -> Any:
        """A value of the transcript as it was: what was masked is put back."""
        match value:
            case str():
                for name, secret in self._secrets.items():
                    value = value.replace(f"[{name}]", secret)
                return value
            case dict():
                return {key: self.revealed(inner) for key, inner in value.items()}
            case list():
                return [self.revealed(inner) for inner in value]
            case _:
                return value
