"""Pure functions from data to rich renderables. They print nothing, ask nothing and fit into eighty columns.

Everything that a unit may have written passes :func:`remit.cli.text.one_line`. Colour only repeats what words and signs
say already. The modules are imported one by one, on use.
"""

from __future__ import annotations

__all__: list[str] = []
