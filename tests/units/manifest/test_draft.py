"""Manifests that are written for components of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.schemas.versions import is_version
from remit.units.manifest import draft, draft_id, parse
from remit.units.manifest.resources import ACTIONS

LABEL = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
OURS = st.sampled_from(["provider", "handler", "transformer"]).map("remit:unit/{}@0.1.0".format)


@given(
    st.lists(OURS, min_size=1, max_size=3, unique=True),
    st.sets(st.sampled_from(sorted(set(ACTIONS) - {"events:subscribe"}))),
)
def test_a_draft_for_our_world_is_a_manifest(exports, capabilities):
    manifest = parse(draft(draft_id(exports, "unit"), "unit.wasm", exports, [], sorted(capabilities)).encode())
    hears = "remit:unit/handler@0.1.0" in exports
    assert [one.action for one in manifest.capabilities] == ["events:subscribe"] * hears
    assert (manifest.transform is not None) == (exports == ["remit:unit/transformer@0.1.0"])


@given(st.lists(LABEL, min_size=1, max_size=5, unique=True))
def test_a_draft_names_the_export_of_each_action(names):
    actions = [(name, f"acme:calc/api@1.0.0#{name}") for name in names]
    manifest = parse(draft(("acme/calc", "1.0.0"), "calc.wasm", ["acme:calc/api@1.0.0"], actions, []).encode())
    assert [(action.name, action.export) for action in manifest.actions] == actions


@pytest.mark.parametrize(("exports", "stem", "expected"), [
    (["acme:calc/api@1.2.3"], "x", ("acme/calc", "1.2.3")), (["acme:calc/api"], "x", ("acme/calc", "0.1.0")),
    (["remit:unit/provider@0.1.0"], "My Unit_2", ("local/my-unit-2", "0.1.0")), ([], "---", ("local/unit", "0.1.0")),
    (["add"], "a" * 100, (f"local/{'a' * 63}", "0.1.0")),
])  # fmt: skip
def test_a_unit_is_called_after_its_package_or_its_file(exports, stem, expected):
    assert draft_id(exports, stem) == expected


@given(st.lists(st.text(max_size=40), max_size=3), st.text(max_size=80))
def test_any_names_make_an_id(exports, stem):
    unit, version = draft_id(exports, stem)
    assert is_version(version)
    parse(draft((unit, version), "unit.wasm", [], [("run", "run")], []).encode())
