"""Read models that span rooms: episodes, topology, health, what became of calls. The rooms have theirs beside them."""

from __future__ import annotations

from remit.host.models.activity import Activity, activity
from remit.host.models.calls import BOUNDS_US, ENDS, Calls, Use, actions, quantile, used
from remit.host.models.documents import documents, slots
from remit.host.models.episodes import Episode, Episodes, episodes
from remit.host.models.health import Health, health
from remit.host.models.model import Data, Model, amount, said, text
from remit.host.models.topology import Topology, topology

__all__ = [
    "BOUNDS_US",
    "ENDS",
    "Activity",
    "Calls",
    "Data",
    "Episode",
    "Episodes",
    "Health",
    "Model",
    "Topology",
    "Use",
    "actions",
    "activity",
    "amount",
    "documents",
    "episodes",
    "health",
    "quantile",
    "said",
    "slots",
    "text",
    "topology",
    "used",
]
