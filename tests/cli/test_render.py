"""Renderers as text at eighty columns: what stands first and last, what is marked, and that hostile text stays text."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from remit.cli.render.authority import lease_table
from remit.cli.render.diff import change_lines
from remit.cli.render.findings import fault_list, policy_findings
from remit.cli.render.plan import command_words, plan_view
from remit.cli.render.records import record_text
from remit.cli.render.units import difference, generation_table, unit_table
from remit.host.facade.views import Entry, LeaseView
from remit.kernel.model import Decision, UnitRef
from remit.policy.sets.findings import Finding as PolicyFinding
from remit.schemas import Fault
from remit.units import Edits, Finding, Generation, Plan
from remit.units.generations.documents import Change, diff
from remit.units.planning.plan import CapabilityAnswer, DocumentDiff, UnitChange, Widening

DIGEST = "sha256:" + "0123456789abcdef" * 4
ANY = st.text(st.characters(), max_size=200)
VALUES = st.recursive(st.none() | st.integers() | ANY, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
CANDIDATE = Generation(
    number=2, origin=2, at_ms=0, author="", message="", units=(), documents={}, grants=(), policy="p"
)  # fmt: skip


def text_of(*renderables: object, width: int = 80, terminal: bool = False) -> str:
    """What a pipe (or a terminal) of this width would get."""
    file = io.StringIO()
    colours = "standard" if terminal else None
    console = Console(
        file=file,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=terminal,
        color_system=colours,
    )
    for renderable in renderables:
        console.print(renderable)
    return file.getvalue()


def plan_of(**parts) -> Plan:
    """A plan with these parts."""
    given_parts = {"edits": Edits(add=("acme/new",)), "changed": True} | parts
    return Plan(home="h", serial=1, config="c", policy="p", candidate=CANDIDATE, **given_parts)


def answer(status: str, unit: str = "acme/new", **more) -> CapabilityAnswer:
    """Policy's answer to one capability."""
    decision = Decision("ask", ("ask.http",), "reaching the network needs a person's consent")
    facts = {"action": "net:http", "resource": "https://api.example.com", "optional": False} | more
    return CapabilityAnswer(unit=unit, status=status, decision=decision, reason="to ask", **facts)


FULL = plan_of(
    units=(
        UnitChange("acme/new", "add", "", "1.0.0", DIGEST, "local"),
        UnitChange("acme/up", "upgrade", "1.0.0", "1.1.0", DIGEST, "signed"),
        UnitChange("acme/down", "downgrade", "2.0.0", "1.0.0", DIGEST, "local", "same version, other code"),
        UnitChange("acme/gone", "remove", "3.0.0", "", DIGEST, "local"),
        UnitChange("acme/set", "configure", "1.0.0", "1.0.0", DIGEST, "local", "parameters"),
        UnitChange("acme/moved", "reorder", "1.0.0", "1.0.0", DIGEST, "local"),
    ),
    widening=(Widening("acme/new", "capability", "net:http on https://api.example.com (GET)"),),
    capabilities=(answer("kept", "acme/old"), answer("consent"), answer("denied", optional=True)),
    documents=(DocumentDiff("assistant", tuple(diff({"a": 1, "b": 2}, {"b": 3, "c": {"d": "e"}}))),),
    findings=(Finding("warning", "patch.overlap", "acme/new", "writes /a too", "look at the order"),),
)


def test_a_plan_says_first_what_widens_then_units_capabilities_documents_findings_and_last_the_command():
    text = text_of(*plan_view(FULL))
    places = [text.index(word) for word in ("Widens", "Units", "Capabilities", "Documents", "Findings", "Next: ")]
    assert places == sorted(places)
    assert text.splitlines()[-1] == "Next: remit unit apply acme/new"


def test_every_kind_of_change_has_its_sign_and_word_without_colour():
    text = text_of(*plan_view(FULL))
    for mark in ("+ add", "↑ upgrade", "↓ downgrade", "- remove", "~ configure", "= reorder", "1.0.0 → 1.1.0"):
        assert mark in text
    assert "\x1b" not in text


def test_unsigned_units_are_marked_and_digests_shortened():
    text = text_of(*plan_view(FULL))
    assert text.count("unsigned") == 5
    assert DIGEST[7:19] in text
    assert DIGEST not in text


def test_capabilities_show_what_needs_a_person_before_what_was_kept_and_name_the_policy():
    text = text_of(*plan_view(FULL))
    assert text.index("denied") < text.index("consent needed") < text.index("kept")
    assert "ask.http" in text
    assert "“to ask”" in text


def test_documents_change_by_signs_and_pointers():
    text = text_of(*plan_view(FULL))
    assert "-  /a  1" in text
    assert "~  /b  2 → 3" in text
    assert '+  /c  {"d":"e"}' in text


def test_a_blocked_plan_says_so_last_and_suggests_no_apply():
    finding = Finding("blocking", "unit.unresolved", "acme/new", "is not installed", "install it")
    for changed in (True, False):
        text = text_of(*plan_view(plan_of(findings=(finding,), changed=changed)))
        assert "Blocked by 1 finding" in text.rstrip().splitlines()[-1]
        assert "Next:" not in text
        assert "→ install it" in text


def test_a_plan_without_changes_and_one_without_widening_say_so():
    assert "Nothing to do" in text_of(*plan_view(plan_of(changed=False)))
    assert "Nothing widens" in text_of(*plan_view(plan_of(units=FULL.units[1:2])))


def test_the_command_of_a_plan_repeats_its_edits():
    edits = Edits(add=("a/b@^1",), remove=("c/d",), set={"a/b.mask": "it's"})
    assert command_words(edits) == ["remit", "unit", "apply", "a/b@^1", "-c/d", "--set", 'a/b.mask="it\'s"']
    assert command_words(Edits(revert="last")) == ["remit", "unit", "revert"]
    assert command_words(Edits(revert="a/b")) == ["remit", "unit", "revert", "a/b"]


@given(ANY, ANY, ANY, VALUES)
def test_whatever_a_unit_writes_a_plan_stays_within_eighty_columns_and_steers_nothing(name, detail, reason, value):
    plan = plan_of(
        units=(UnitChange(name, "configure", "1.0.0", "1.0.0", DIGEST, "local", detail),),
        widening=(Widening(name, "capability", detail),),
        capabilities=(answer("consent", name, resource=detail, action=reason),),
        documents=(DocumentDiff(name, (Change("add", f"/{detail}", None, value),)),),
        findings=(Finding("blocking", detail, name, reason, detail),),
    )
    text = text_of(*plan_view(plan))
    assert "\x1b" not in text
    assert not set(text) & set("\x07\x08\r\x9b\u202e\u2066")
    assert all(cell_len(line) <= 80 for line in text.split("\n"))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_plan_fits_whatever_the_width(width):
    assert all(len(line) <= width for line in text_of(*plan_view(FULL), width=width).splitlines())


def test_colour_changes_no_word():
    coloured = text_of(*plan_view(FULL), terminal=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text_of(*plan_view(FULL))


def test_long_values_and_many_changes_are_cut_and_say_so():
    text = text_of(change_lines([Change("add", "/x", None, "y" * 5_000)] + [Change("remove", "/z", 1)] * 300))
    assert "characters)" in text
    assert "and 101 more changes" in text
    assert len(text) < 20_000


def test_tables_fit_and_mark_what_is_unsigned_revoked_or_active():
    ref = UnitRef("acme/a-rather-long-name-for-a-unit", "1.0.0", DIGEST, "tool", "local")
    units = text_of(unit_table([Entry(ref, "t" * 100, "here", active=True)]))
    lease = LeaseView(
        "g1",
        ref.id,
        "1.0.0",
        DIGEST,
        "net:http",
        "https://a.example.com",
        "revoked",
        ("p.one",),
        "me",
        {},
        None,
        3,
        None,
        None,
        None,
    )
    leases = text_of(lease_table([lease]))
    rows = [
        {"number": 1, "at_ms": 1, "author": "me", "message": "m" * 90, "units": [f"{ref.id}@1.0.0"],
         "unsigned": [ref.id], "trials": [], "active": True}
    ]  # fmt: skip
    history = text_of(generation_table(rows))
    for text in (units, leases, history):
        assert all(len(line) <= 80 for line in text.splitlines())
    assert "unsigned" in units
    assert "revoked" in leases
    assert "unsigned" in history
    assert "1*" in history


def test_faults_and_policy_findings_show_place_and_message():
    text = text_of(*fault_list("here", [Fault("unit[0].id", "is wrong"), Fault("", "is all wrong")]))
    assert "2 faults" in text
    assert "unit[0].id  is wrong" in text
    shown = text_of(*policy_findings([PolicyFinding("policy/a.cedar", "does not parse", "error", "p.one", 3)]))
    assert "error" in shown
    assert "policy/a.cedar:3" in shown
    assert "p.one: does not parse" in shown


def test_differences_show_units_order_and_documents():
    found = {
        "before": 1, "after": 2, "units": {"before": ["a/b@1.0.0"], "after": ["c/d@1.0.0"]},
        "documents": {"assistant": [{"op": "remove", "path": "/x", "old": 1, "new": None}]},
    }  # fmt: skip
    text = text_of(*difference(found))
    assert "- a/b@1.0.0" in text
    assert "+ c/d@1.0.0" in text
    assert "/x" in text
    same = {"before": 1, "after": 2, "units": {"before": [], "after": []}, "documents": {}}
    assert "no difference" in text_of(*difference(same))


@given(ANY, ANY, VALUES)
def test_a_record_of_anything_is_at_most_two_lines_and_safe(kind, subject, data):
    event = {"type": kind, "subject": subject, "time": "2026-01-01T00:00:00.000Z", "data": data}
    text = record_text({"seq": 7, "event": event}).plain
    assert len(text.split("\n")) <= 2
    assert "\x1b" not in text


def test_a_denials_line_names_what_was_refused_and_by_which_policy():
    data = {"action": "fs:read", "resource": "/etc/passwd", "policies": ["guard.one", "guard.two"]}
    event = {"type": "lease.denied", "subject": "a/b", "time": "2026-01-01T00:00:00.000Z", "data": data}
    assert "fs:read on /etc/passwd — decided by guard.one, guard.two" in record_text({"seq": 7, "event": event}).plain
