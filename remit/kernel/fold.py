"""Moved to remit.journal.fold."""

from remit.journal.fold import *  # noqa
