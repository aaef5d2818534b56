from __future__ import annotations


def test_an_export_answers_what_the_guest_returns(bench, echo):
    outcome = bench.run(echo, "héllo")
    assert (outcome.tag, outcome.text) == ("ok", "héllo")
