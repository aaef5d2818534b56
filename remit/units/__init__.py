"""Units: manifests, plans, generations and the documents they make. Asks policy and runners through the kernel's ports.

Does not know Cedar, wasmtime, bundles or sockets.
"""

from __future__ import annotations

from remit.units.blame import Blame, blame
from remit.units.catalog import ActiveCatalog
from remit.units.changes import unit_changes
from remit.units.collecting import Garbage
from remit.units.documents import Change, diff
from remit.units.generation import ActiveUnit, Generation, Generations
from remit.units.installed import Installed, InstalledUnit, Library, Withdrawn
from remit.units.lifecycle import Lifecycle
from remit.units.plan import Finding, Plan, load_plan
from remit.units.prompts import OfferedPrompt, prompt_named, prompts_of
from remit.units.reactions import Reaction, event_argument, reacting, reactions_of
from remit.units.slots import SlotView
from remit.units.supply import LockChange, Question, Supplier, Supply
from remit.units.terms import Terms
from remit.units.transforms import evaluator
from remit.units.wanted import Edits, parse_setting

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
