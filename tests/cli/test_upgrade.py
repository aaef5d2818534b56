"""``remit journal upgrade`` on the command line: what is due is an exit code, what was done a line; both are JSON."""

from __future__ import annotations

import json

import pytest

from remit.journal import tables
from remit.journal.tables import Step
from remit.schemas import formats


@pytest.mark.usefixtures("home")
def test_a_home_that_is_up_to_date_says_so(remit):
    assert "nothing to do" in remit("journal", "upgrade", "--dry-run").stdout
    assert json.loads(remit("journal", "upgrade", "--json").stdout)["steps"] == []


@pytest.mark.usefixtures("home")
def test_an_older_home_is_seen_then_upgraded_then_opened(remit, monkeypatch):
    remit("unit", "list")
    step = Step("keeps notes", lambda connection: connection.execute("CREATE TABLE note(text TEXT) STRICT"))
    monkeypatch.setattr(tables, "STEPS", {formats.JOURNAL: step})
    monkeypatch.setattr(formats, "JOURNAL", formats.JOURNAL + 1)
    assert "remit journal upgrade --dry-run" in remit("unit", "list", code=1).stderr
    dry = remit("journal", "upgrade", "--dry-run", code=2).stdout
    assert "would upgrade" in dry
    assert "keeps notes" in dry
    assert "RM-1113" in remit("unit", "list", code=1).stderr
    done = json.loads(remit("journal", "upgrade", "--json").stdout)
    assert (done["done"], done["steps"]) == (True, ["keeps notes"])
    remit("unit", "list")
