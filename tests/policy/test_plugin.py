from __future__ import annotations

import subprocess
import sys

import pytest

from remit.errors import PolicyInvalid
from remit.kernel.model import EntityRef
from remit.policy import plugin


def authority_of(home, world):
    return plugin.remit_authority(home=home, clock=world.clock, ids=None, folds=world.journal, journal=world.journal)


def test_the_hook_gives_an_authority_under_the_homes_operators(home, world):
    authority = authority_of(home, world)
    assert authority.authorize("local", "unit:apply", EntityRef("Home", home.id)).allowed
    assert authority.digest.startswith("sha256:")


def test_the_homes_files_are_added_to_the_posture(home, world):
    (home.root / "policy" / "site.cedar").write_text(
        '@id("site.frozen") forbid (principal, action == Remit::Action::"unit:apply", resource);', encoding="utf-8"
    )
    decision = authority_of(home, world).authorize("local", "unit:apply", EntityRef("Home", home.id))
    assert decision.policies == ("site.frozen",)
    assert plugin.check_home(home) == []


@pytest.mark.parametrize("content", [b"permit (", b"\xff", b"permit (principal, action, resource);"])
def test_a_wrong_file_refuses_to_start_and_is_named(home, world, content):
    (home.root / "policy" / "site.cedar").write_bytes(content)
    with pytest.raises(PolicyInvalid) as caught:
        authority_of(home, world)
    assert {fault["file"] for fault in caught.value.details["faults"]} == {"policy/site.cedar"}
    assert [finding.file for finding in plugin.check_home(home)] == ["policy/site.cedar"]


def test_a_named_file_that_is_missing_refuses_to_start(home, world):
    home.config.policy.files = ("policy/site.cedar",)
    with pytest.raises(PolicyInvalid):
        authority_of(home, world)


def test_the_read_models_have_their_names():
    assert [fold.name for fold in plugin.remit_read_models()] == ["leases", "budgets", "egress", "policy"]


def test_registering_the_plugin_does_not_load_cedar():
    code = "import sys, remit.policy, remit.policy.plugin; print('cedarpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
