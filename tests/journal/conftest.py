"""A journal's folder, and a journal in it."""

from __future__ import annotations

import pytest

from tests.journal.simulators import journal_folder, open_journal


@pytest.fixture
def folder(tmp_path):
    return journal_folder(tmp_path / "journal")


@pytest.fixture
def journal(folder):
    journal = open_journal(folder)
    yield journal
    journal.close()
