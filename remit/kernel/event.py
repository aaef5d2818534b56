"""Moved to remit.journal.event."""

from remit.journal.event import *  # noqa
