"""The manifest of a unit, ``unit.toml`` (schema ``unit/v1``): parsed, checked whole, and what follows from it.

Nothing here runs, installs or decides: policy says what a declared capability is worth, the sandbox what an artifact
is.
"""

from __future__ import annotations

from remit.schemas.versions import in_range, is_range, is_version
from remit.units.manifest.derive import interfaces_of, limits_of
from remit.units.manifest.draft import draft, draft_id
from remit.units.manifest.files import check, check_files, schema_files
from remit.units.manifest.model import (
    ActionDecl,
    Build,
    Fill,
    Golden,
    Manifest,
    Native,
    Parameters,
    Patch,
    Prompt,
    PromptArgument,
    Requires,
    Runtime,
    Subscription,
    Transform,
)
from remit.units.manifest.parse import parse
from remit.units.manifest.prompts import rendered

__all__ = [
    "ActionDecl",
    "Build",
    "Fill",
    "Golden",
    "Manifest",
    "Native",
    "Parameters",
    "Patch",
    "Prompt",
    "PromptArgument",
    "Requires",
    "Runtime",
    "Subscription",
    "Transform",
    "check",
    "check_files",
    "draft",
    "draft_id",
    "in_range",
    "interfaces_of",
    "is_range",
    "is_version",
    "limits_of",
    "parse",
    "rendered",
    "schema_files",
]
