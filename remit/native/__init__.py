"""Native units: Python of publishers that policy trusts, run in the kernel's process under its leases and journal.

Nothing here is a sandbox. What holds for a native unit is what goes through the host: capabilities, limits of host
calls, the transaction of a call. What it does beside that, nobody stops.
"""

from __future__ import annotations

__all__ = ["call", "judging", "loading", "plugin", "runner"]
