"""How ``make docs`` builds these pages; they read as well where they lie."""

from __future__ import annotations

project = "Remit"
author = "The Remit authors"
project_copyright = author
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Remit"
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]  # consoles show "…" where anything may stand
