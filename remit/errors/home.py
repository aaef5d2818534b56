"""Errors of a home, its configuration and its schemas: RM-11xx and RM-12xx."""

from __future__ import annotations

from remit.errors.base import RemitError


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
    """The home's format is older than any that this version can upgrade."""


class HomeUnsafe(HomeError, code="RM-1109", remedy="run 'chmod go-rwx' on the folder that the message names"):
    """The home's private folder can be entered by other users."""


class ConfigInvalid(HomeError, code="RM-1110", remedy="correct remit.toml at the paths shown"):
    """``remit.toml`` does not follow its schema; ``details['faults']`` lists every fault."""


class VariableMissing(HomeError, code="RM-1111", remedy="set the variable in the environment of the kernel"):
    """``remit.toml`` names an environment variable that is not set."""


class BackupInvalid(HomeError, code="RM-1112", remedy="take another backup"):
    """A file is no backup of a home, was cut off, or was changed."""


class FormatOld(
    HomeError, code="RM-1113", remedy="run 'remit journal upgrade --dry-run', then 'remit journal upgrade'"
):
    """The home has an older format, which this version can bring up to date; it does so only when told to."""


class SchemaInvalid(RemitError, code="RM-1201"):
    """A JSON Schema is not one, or is beyond the bounds that Remit accepts."""


class ValueInvalid(RemitError, code="RM-1202"):
    """A value does not follow its schema; ``details['faults']`` lists every fault with its path."""
