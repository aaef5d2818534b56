"""What a guest did, and the limits that it reached: RM-50xx."""

from __future__ import annotations

from remit.errors.base import RemitError


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


class StackExceeded(SandboxError, code="RM-5013", remedy="recurse less deeply, or raise runtime.stack in unit.toml"):
    """The guest overflowed its stack."""


class OutputTooLarge(SandboxError, code="RM-5014", remedy="return less, or raise runtime.output in unit.toml"):
    """The guest returned more than the output limit."""


class GuestTextInvalid(SandboxError, code="RM-5015", remedy="report the fault to the unit's publisher"):
    """The guest passed a string that is not UTF-8."""


class HostCallsExceeded(
    SandboxError, code="RM-5016", remedy="do less per call, or raise runtime.host_calls in unit.toml"
):
    """The guest made more host calls than one call may."""


class FuelExhausted(SandboxError, code="RM-5017", remedy="raise runtime.fuel in unit.toml"):
    """The guest used up its deterministic instruction budget."""


class CacheTampered(SandboxError, code="RM-5018", remedy="run 'remit cache clear'"):
    """A cached compilation does not carry our seal; it was not loaded."""


class CallCancelled(SandboxError, code="RM-5019"):
    """The caller went away and the guest was stopped."""


class TranscriptInvalid(SandboxError, code="RM-5021"):
    """The bytes are no transcript, or not one that can be replayed."""


class ReplayDiverged(
    SandboxError, code="RM-5022", remedy="replay with the artifact, parameters and secrets of the call"
):
    """A replayed guest did something else than it did when it was recorded."""


class LogFlooded(SandboxError, code="RM-5023", remedy="log less, or raise runtime.log_lines in unit.toml"):
    """The guest wrote more log lines than one call keeps. The call goes on: the log ends with this."""


class TablesExceeded(SandboxError, code="RM-5024", remedy="build a smaller unit: these bounds are the host's own"):
    """The guest needs more tables, or larger ones, than the host gives one instance."""


class InstancesExceeded(SandboxError, code="RM-5025", remedy="build a smaller unit: these bounds are the host's own"):
    """The component instantiates more modules than the host gives it."""


class HostFault(
    SandboxError,
    code="RM-5020",
    remedy="this is a fault of the host: report it with the journal's record",
):
    """A host function failed in a way that is not the guest's fault."""
