"""The reference is what the code says, and the site has every page and builds without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def pages():
    """What ``tools/reference.py`` would write, as a clone would make it."""
    spec = spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("page", ["cli.md", "errors.md", "hooks.md", "schemas.md"])
def test_a_page_of_the_reference_is_what_the_code_says(pages, page):
    # If this fails: python tools/reference.py
    assert (DOCS / "reference" / page).read_text("utf-8") == pages[page]


def test_every_page_stands_in_the_table_of_contents():
    listed = set(re.findall(r"^([a-z/-]+(?:/README)?)$", (DOCS / "index.md").read_text("utf-8"), re.MULTILINE))
    there = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert {name for name in there if not name.startswith("adr/")} - {"index"} <= listed


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    words = [
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        tmp_path / "trees",
        DOCS,
        tmp_path / "html",
    ]
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "html" / "reference" / "errors.html").stat().st_size > 10_000
