"""Units: manifests, plans, generations and the documents they make. Asks policy and runners through the kernel's ports.

Does not know Cedar, wasmtime, bundles or sockets.
"""

from __future__ import annotations

from remit.units.applying.collecting import Garbage
from remit.units.catalog import ActiveCatalog
from remit.units.generations.blame import Blame, blame
from remit.units.generations.documents import Change, diff
from remit.units.generations.generation import ActiveUnit, Generation, Generations
from remit.units.generations.terms import Terms
from remit.units.generations.wanted import Edits, parse_setting
from remit.units.lifecycle import Lifecycle
from remit.units.planning.changes import unit_changes
from remit.units.planning.plan import Finding, Plan, load_plan
from remit.units.planning.prompts import OfferedPrompt, prompt_named, prompts_of
from remit.units.planning.slots import SlotView
from remit.units.reactions import Reaction, event_argument, reacting, reactions_of
from remit.units.stock.installed import Installed, InstalledUnit, Library, Withdrawn
from remit.units.supply import LockChange, Question, Supplier, Supply
from remit.units.transforms import evaluator

__all__ = [
    "ActiveCatalog",
    "ActiveUnit",
    "Blame",
    "Change",
    "Edits",
    "Finding",
    "Garbage",
    "Generation",
    "Generations",
    "Installed",
    "InstalledUnit",
    "Library",
    "Lifecycle",
    "LockChange",
    "OfferedPrompt",
    "Plan",
    "Question",
    "Reaction",
    "SlotView",
    "Supplier",
    "Supply",
    "Terms",
    "Withdrawn",
    "blame",
    "diff",
    "evaluator",
    "event_argument",
    "load_plan",
    "parse_setting",
    "prompt_named",
    "prompts_of",
    "reacting",
    "reactions_of",
    "unit_changes",
]
