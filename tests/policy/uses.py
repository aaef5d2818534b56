"""What the tests of uses ask for."""

from __future__ import annotations

import pytest

from remit.errors import LeaseDenied

MINUTE = 60_000


EMIT = ("events:emit", "text.redacted")


HTTPS = "https://api.example.com"


def refused(authority, unit, action, resource, **options):
    with pytest.raises(LeaseDenied) as caught:
        authority.use(unit, action, resource, **options)
    return caught.value


def decisions_during(authority, work):
    """How often Cedar's decider was asked."""
    count = 0
    decider = authority.epoch.decider
    decide = decider.decide

    def counted(request):
        nonlocal count
        count += 1
        return decide(request)

    decider.decide = counted
    work()
    decider.decide = decide
    return count
