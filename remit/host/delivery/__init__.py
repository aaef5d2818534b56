"""Delivery of events to callers and units: live ones from the bus, durable ones by a cursor in the journal."""

from __future__ import annotations

from remit.host.delivery.feed import Feed, Heard
from remit.host.delivery.jobs import Answer, Given, Job, Jobs
from remit.host.delivery.listening import Listeners, Listening, reply_topic
from remit.host.delivery.model import DEFAULT_ATTEMPTS, SubscriptionsFold
from remit.host.delivery.queue import Queue
from remit.host.delivery.queues import Queues
from remit.host.delivery.reacting import Reactions
from remit.host.delivery.scheduler import Scheduler
from remit.host.delivery.timers import Timer, TimersFold, next_time

__all__ = [
    "DEFAULT_ATTEMPTS",
    "Answer",
    "Feed",
    "Given",
    "Heard",
    "Job",
    "Jobs",
    "Listeners",
    "Listening",
    "Queue",
    "Queues",
    "Reactions",
    "Scheduler",
    "SubscriptionsFold",
    "Timer",
    "TimersFold",
    "next_time",
    "reply_topic",
]
