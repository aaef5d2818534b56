"""The Python examples of ``docs/events.md``, run as one program in a new home."""

from __future__ import annotations

import re
from pathlib import Path

from remit.host import init

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_pages_program_runs(tmp_path):
    init(tmp_path / "home")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {"home": tmp_path / "home"})
