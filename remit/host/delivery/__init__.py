"""Delivery of events to callers and units: live ones from the bus, durable ones by a cursor in the journal."""

from __future__ import annotations

from remit.host.delivery.feed import Feed, Heard
from remit.host.delivery.listening import Listeners, Listening

__all__ = ["Feed", "Heard", "Listeners", "Listening"]
