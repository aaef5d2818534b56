"""Requests to the outside: which target a URL means, which addresses it leads to, and one bounded exchange with it.

Nothing here decides: policy is asked by :mod:`remit.sandbox.egress.gate`, which ``http.fetch`` and the preview share.
"""

from __future__ import annotations

__all__: list[str] = []
