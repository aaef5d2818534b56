"""The exception tree: what was refused, under a stable code, with the one thing that would help.

Every error that Remit raises on purpose is a :class:`RemitError`. Codes never change meaning and are never reused; the
thousands digit names the room (1 home and schemas, 2 bundles, 3 journal, 4 policy, 5 sandbox, 6 units, 7 calls,
8 connection, 9 plugins). Errors cross the home's socket as data: :meth:`RemitError.as_dict` and :func:`from_dict`.

RemitError
├── UsageError                                              RM-1000
├── HomeError
│   ├── HomeMissing, HomeExists, HomeBusy, HomeReadOnly     RM-1101 … RM-1104
│   ├── NetworkFilesystem, FormatTooNew, DiskFull           RM-1105 … RM-1107
│   └── ConfigInvalid, VariableMissing                      RM-1110, RM-1111
├── SchemaInvalid, ValueInvalid                             RM-1201, RM-1202
├── BundleError      manifest, bundle and admission         RM-20xx
├── JournalError     chain, rows, blobs, reserved names     RM-30xx
├── PolicyError      policies, decisions, leases            RM-40xx
├── SandboxError     what a guest did, and its limits       RM-50xx
├── UnitsError       plans, generations, documents          RM-60xx
├── CallError        actions and their outcomes             RM-70xx
├── ConnectionLost   the kernel behind a client             RM-80xx
└── PluginError      a plugin that failed                   RM-90xx
"""

from __future__ import annotations

from typing import Any, ClassVar

EXIT_ERROR = 1
EXIT_CHANGES = 2
EXIT_REFUSED = 3
EXIT_USAGE = 64

_BY_CODE: dict[str, type[RemitError]] = {}


class RemitError(Exception):
    """The root of the tree.

    ``message`` says what was refused and why, ``remedy`` the one command or edit that would help, and ``details`` holds
    JSON-able facts for programs (never secrets: details are shown and journalled).
    """

    code: ClassVar[str] = "RM-0000"
    exit_code: ClassVar[int] = EXIT_ERROR
    default_remedy: ClassVar[str] = ""

    def __init_subclass__(cls, code: str = "", exit_code: int | None = None, remedy: str | None = None) -> None:
        if exit_code is not None:
            cls.exit_code = exit_code
        if remedy is not None:
            cls.default_remedy = remedy
        if not code:
            return
        if code in _BY_CODE:
            msg = f"error code {code} is taken by {_BY_CODE[code].__name__}"
            raise TypeError(msg)
        cls.code = code
        _BY_CODE[code] = cls

    def __init__(self, message: str, *, remedy: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = self.default_remedy if remedy is None else remedy
        self.details = details

    def __str__(self) -> str:
        tail = f" — {self.remedy}" if self.remedy else ""
        return f"[{self.code}] {self.message}{tail}"

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able data: ``code``, ``message``, ``remedy``, ``details``."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "details": self.details}


def from_dict(data: dict[str, Any]) -> RemitError:
    """The error that :meth:`RemitError.as_dict` described; an unknown code becomes a plain :class:`RemitError`."""
    kind = _BY_CODE.get(str(data.get("code")), RemitError)
    details = data.get("details") or {}
    return kind(str(data.get("message", "unknown error")), remedy=str(data.get("remedy", "")), **details)


def catalogue() -> dict[str, type[RemitError]]:
    """Every stable code with its class, in the order of the codes."""
    return dict(sorted(_BY_CODE.items()))


class UsageError(RemitError, code="RM-1000", exit_code=EXIT_USAGE):
    """The words of a command or call are off."""


# ---- home and configuration ----


class HomeError(RemitError):
    """The home cannot be used as it is."""


class HomeMissing(HomeError, code="RM-1101", remedy="run 'remit init DIR', or name another home with --home"):
    """No home stands at that path."""


class HomeExists(HomeError, code="RM-1102", remedy="choose another folder"):
    """A home stands there already."""


class HomeBusy(HomeError, code="RM-1103", remedy="use remit.connect(home), or stop the process that holds it"):
    """Another live process is this home's kernel."""


class HomeReadOnly(HomeError, code="RM-1104", remedy="make the home and its .remit folder writable by this user"):
    """The home cannot be written."""


class NetworkFilesystem(HomeError, code="RM-1105", remedy="keep the home on a local disk"):
    """The home lies on a network file system, where locks and write-ahead logs do not hold."""


class FormatTooNew(HomeError, code="RM-1106", remedy="upgrade remit"):
    """The home was written by a later version."""


class DiskFull(HomeError, code="RM-1107", remedy="free some space and try again; nothing acknowledged was lost"):
    """The disk is full; the operation left nothing half-written."""


class FormatTooOld(HomeError, code="RM-1108", remedy="open it once with the version that the message names"):
    """The home's format is older than any that this version can migrate."""


class HomeUnsafe(HomeError, code="RM-1109", remedy="run 'chmod go-rwx' on the folder that the message names"):
    """The home's private folder can be entered by other users."""


class ConfigInvalid(HomeError, code="RM-1110", remedy="correct remit.toml at the paths shown"):
    """``remit.toml`` does not follow its schema; ``details['faults']`` lists every fault."""


class VariableMissing(HomeError, code="RM-1111", remedy="set the variable in the environment of the kernel"):
    """``remit.toml`` names an environment variable that is not set."""


class SchemaInvalid(RemitError, code="RM-1201"):
    """A JSON Schema is not one, or is beyond the bounds that Remit accepts."""


class ValueInvalid(RemitError, code="RM-1202"):
    """A value does not follow its schema; ``details['faults']`` lists every fault with its path."""


# ---- bundles and admission ----


class BundleError(RemitError, code="RM-2000"):
    """A unit's bundle cannot be admitted."""


class ManifestInvalid(BundleError, code="RM-2001", remedy="run 'remit unit check DIR' and correct every fault"):
    """``unit.toml`` has faults; ``details['faults']`` lists every one with its path."""


class BundleInvalid(BundleError, code="RM-2002", remedy="pack the unit again from its source"):
    """The bundle is malformed, truncated, oversized or not what its digest says."""


class UnsignedRefused(
    BundleError, code="RM-2003", exit_code=EXIT_REFUSED, remedy="add --allow-unsigned to admit a local folder"
):
    """The unit carries no signature and the caller did not allow that."""


class SourceUnknown(BundleError, code="RM-2004", remedy="name a folder with unit.toml, or a .unit file"):
    """No unit source understands that reference."""


class BuildFailed(BundleError, code="RM-2005"):
    """The unit's toolchain failed; the message carries its diagnosis."""


class ArtifactMissing(BundleError, code="RM-2006", remedy="run 'remit unit build DIR' first"):
    """The manifest names an artifact that is not there."""


class Incompatible(BundleError, code="RM-2007"):
    """The unit needs another version of remit, of the world, or of another unit."""


# ---- journal and blobs ----


class JournalError(RemitError, code="RM-3000"):
    """The journal refuses."""


class ChainBroken(
    JournalError,
    code="RM-3001",
    remedy="restore the home from a backup; 'remit journal verify' shows where",
):
    """A row's hash does not follow from its content and predecessor."""


class JournalTruncated(JournalError, code="RM-3002", remedy="restore the home from a backup"):
    """The journal ends before the last checkpoint of its head."""


class JournalCorrupt(JournalError, code="RM-3003", remedy="restore the home from a backup"):
    """The journal's file or one of its rows cannot be read."""


class PayloadMissing(JournalError, code="RM-3004"):
    """A payload that a record refers to was erased or lost."""


class BlobMissing(JournalError, code="RM-3005", remedy="install the unit again"):
    """No blob has that digest."""


class BlobCorrupt(JournalError, code="RM-3006", remedy="delete the blob and install the unit again"):
    """A blob's bytes do not have its digest."""


class SourceReserved(JournalError, code="RM-3007", exit_code=EXIT_REFUSED, remedy="emit a topic of your own"):
    """An event claims a source or topic that belongs to the kernel."""


class EventInvalid(JournalError, code="RM-3008"):
    """An event does not follow ``event/v1``."""


class SqliteTooOld(JournalError, code="RM-3009", remedy="install apsw 3.51.3 or later"):
    """The SQLite library has the write-ahead-log reset bug."""


class JournalClosed(JournalError, code="RM-3010"):
    """The journal was closed, or its writer stopped after a failure."""


# ---- policy ----


class PolicyError(RemitError, code="RM-4000"):
    """Policy refuses, or cannot answer."""


class PolicyInvalid(PolicyError, code="RM-4001", remedy="run 'remit policy check' and correct every fault"):
    """The policies do not parse, do not validate, or let a canary through."""


class Denied(
    PolicyError,
    code="RM-4002",
    exit_code=EXIT_REFUSED,
    remedy="ask an administrator to change the policy named",
):
    """Policy denied an operation; ``details['policies']`` names the policies that decided."""


class ConsentNeeded(
    PolicyError,
    code="RM-4003",
    exit_code=EXIT_REFUSED,
    remedy="look at the plan, then repeat with --yes",
):
    """The change widens what units may do and nobody consented; ``details['widening']`` says what widens."""


class LeaseDenied(PolicyError, code="RM-4004", exit_code=EXIT_REFUSED):
    """A unit used a capability that it holds no grant for; ``details['policies']`` names what decided."""


class LeaseExhausted(
    PolicyError,
    code="RM-4005",
    exit_code=EXIT_REFUSED,
    remedy="wait for the next window or widen the budget",
):
    """A grant's budget for this window is used up."""


class GrantUnknown(PolicyError, code="RM-4006", remedy="run 'remit lease list'"):
    """No grant has that id."""


class ResourceInvalid(PolicyError, code="RM-4007"):
    """A resource does not follow the grammar of its capability action, or no such action exists."""


# ---- sandbox ----


class SandboxError(RemitError, code="RM-5000"):
    """A guest did what it must not, or reached a limit."""


class ArtifactInvalid(SandboxError, code="RM-5001", remedy="build the unit again as a component of world remit:unit"):
    """The artifact is not a component, does not compile, or took too much to compile."""


class ImportRefused(SandboxError, code="RM-5002", remedy="declare the capability in unit.toml, or drop the import"):
    """The component imports an interface that its manifest does not declare or that does not exist."""


class ExportMissing(SandboxError, code="RM-5003", remedy="export the interface that the manifest's kind needs"):
    """The component does not export what its manifest promises."""


class GuestTrapped(SandboxError, code="RM-5010", remedy="report the fault to the unit's publisher"):
    """The guest trapped (unreachable, out of bounds, division by zero, …)."""


class DeadlineExceeded(SandboxError, code="RM-5011", remedy="raise runtime.deadline in unit.toml"):
    """The call outlived its deadline, host calls included."""


class MemoryExceeded(SandboxError, code="RM-5012", remedy="raise runtime.memory in unit.toml"):
    """The guest asked for more memory than its limit."""


class StackExceeded(SandboxError, code="RM-5013", remedy="the unit recurses too deeply: report it to its publisher"):
    """The guest overflowed its stack."""


class OutputTooLarge(SandboxError, code="RM-5014", remedy="return less, or in several calls"):
    """The guest returned more than the output limit."""


class GuestTextInvalid(SandboxError, code="RM-5015", remedy="report the fault to the unit's publisher"):
    """The guest passed a string that is not UTF-8."""


class HostCallsExceeded(SandboxError, code="RM-5016", remedy="do less in one call"):
    """The guest made more host calls than one call may."""


class FuelExhausted(SandboxError, code="RM-5017", remedy="raise runtime.fuel in unit.toml"):
    """The guest used up its deterministic instruction budget."""


class CacheTampered(SandboxError, code="RM-5018", remedy="run 'remit cache clear'"):
    """A cached compilation does not carry our seal; it was not loaded."""


class CallCancelled(SandboxError, code="RM-5019"):
    """The caller went away and the guest was stopped."""


class HostFault(
    SandboxError,
    code="RM-5020",
    remedy="this is a fault of the host: report it with the journal's record",
):
    """A host function failed in a way that is not the guest's fault."""


# ---- units ----


class UnitsError(RemitError, code="RM-6000"):
    """Units, plans or generations refuse."""


class UnitUnknown(UnitsError, code="RM-6001", remedy="run 'remit unit list'; install it with 'remit unit install'"):
    """No installed unit matches."""


class PlanStale(UnitsError, code="RM-6002", remedy="plan again"):
    """The plan was made against another generation, home or configuration."""


class PlanBlocked(UnitsError, code="RM-6003", remedy="resolve the blocking findings that 'remit unit plan' shows"):
    """The plan has blocking findings."""


class PlanInvalid(UnitsError, code="RM-6004", remedy="make the plan again with 'remit unit plan -o FILE'"):
    """A saved plan cannot be read or was changed after it was made."""


class GenerationUnknown(UnitsError, code="RM-6005", remedy="run 'remit unit history'"):
    """No generation has that number."""


class NothingToRevert(UnitsError, code="RM-6006"):
    """There is no earlier change to go back to."""


class DocumentUnknown(UnitsError, code="RM-6007", remedy="declare it under [document.NAME] in remit.toml"):
    """No document has that name."""


class PatchFailed(UnitsError, code="RM-6008"):
    """A patch does not apply to its document."""


class TransformFailed(UnitsError, code="RM-6009"):
    """A transform did not produce valid patches."""


class ModelUnknown(UnitsError, code="RM-6010", remedy="run 'remit state' for the list"):
    """No read model has that name."""


class UnitInUse(UnitsError, code="RM-6011", remedy="remove it from the active generation first"):
    """The unit is active."""


# ---- calls ----


class CallError(RemitError, code="RM-7000"):
    """A call did not succeed."""


class ActionUnknown(CallError, code="RM-7001", remedy="run 'remit list' for the actions of the active generation"):
    """No active unit offers that action, or not at the version asked for."""


class InputInvalid(CallError, code="RM-7002"):
    """The input does not follow the action's schema; ``details['faults']`` lists every fault."""


class OutputInvalid(CallError, code="RM-7003", remedy="report the fault to the unit's publisher"):
    """The unit's output is not JSON or does not follow the action's schema."""


class UnitRejected(CallError, code="RM-7004"):
    """The unit rejected the input."""


class UnitFailed(CallError, code="RM-7005"):
    """The unit says that it failed."""


class UnitRetry(CallError, code="RM-7006"):
    """The unit asks to be called again after ``details['after_ms']`` milliseconds."""


class IdempotencyConflict(CallError, code="RM-7007", remedy="use a new idempotency key"):
    """The idempotency key was used with another input."""


class HopsExceeded(CallError, code="RM-7008"):
    """The chain of calls is too long, or comes back to a unit that is already in it."""


class StateConflict(CallError, code="RM-7009", remedy="call again"):
    """Another call changed a state key that this one had read for writing."""


class InputTooLarge(CallError, code="RM-7010", remedy="pass less, or a reference to it"):
    """The input is larger than a call may carry."""


class Quarantined(CallError, code="RM-7011"):
    """The unit is poisoned: the same fault answers until it is recovered."""


class QuotaExceeded(CallError, code="RM-7012", remedy="delete keys, do less per call, or raise the host's limits"):
    """The unit's state, or the effects of one call, are beyond their bound."""


# ---- connection ----


class ConnectionLost(
    RemitError,
    code="RM-8000",
    remedy="look at 'remit events' to see whether it was done, then repeat",
):
    """The kernel went away before it answered; whether it acted is in the journal."""


class ProtocolError(RemitError, code="RM-8001", remedy="use the same version of remit on both sides"):
    """The other side of the socket spoke something else."""


class PeerRefused(RemitError, code="RM-8002", remedy="run as the user who owns the home"):
    """The peer on the socket belongs to another user."""


class KernelUnreachable(RemitError, code="RM-8003", remedy="stop the process that the message names, or wait for it"):
    """The home's lock is held, but its holder does not answer."""


# ---- plugins ----


class PluginError(RemitError, code="RM-9000"):
    """A plugin cannot be used."""


class PluginFailed(
    PluginError,
    code="RM-9001",
    remedy="disable the plugin in remit.toml, or report the fault to its author",
):
    """A hook of a plugin raised; ``details`` names plugin and hook."""


class AdapterMissing(PluginError, code="RM-9002", remedy="enable the plugin that provides it"):
    """A port has no adapter."""
