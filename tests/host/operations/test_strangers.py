"""Operators who may little or nothing, on every operation that a kernel offers: each asks policy before it does."""

from __future__ import annotations

import inspect

import pytest

from remit.errors import (
    ActionUnknown,
    Denied,
    GrantUnknown,
    PolicyInvalid,
    RemitError,
    SubscriptionUnknown,
    TimerUnknown,
)
from remit.host import Kernel, connect
from remit.host.operations.operations import READS, Operations
from remit.journal import no_progress
from remit.kernel.model import Caller, EntityRef

STRANGER, VIEWER, CALLER = (Caller(principal=name) for name in ("stranger", "vic", "carl"))
ROLES = '\n[operator.vic]\nroles = ["viewer"]\n\n[operator.carl]\nroles = ["caller"]\n'
DRAFT = '@id("site.x") forbid (principal, action, resource) when { false };'
GIVEN = {
    "action": "acme/echo:echo", "after_ms": 1_000, "at": None, "at_ms": None, "attempts": 1, "cron": "",
    "durability": "committed", "files": {},
    "grant": "", "identity": {"issuer": "https://i.example", "subject": "s"}, "method": "GET", "model": "leases",
    "name": "a-name", "path": "/nowhere/backup", "plan": None, "posture": "standard", "prefix": "", "publisher": "acme",
    "reference": "/nowhere/at/all", "text": "{}", "topic": "a.topic", "unit": "acme/echo", "url": "https://a.example",
    "wanted": {"topics": ["a.topic"]}, "zone": "UTC",
}  # fmt: skip
BY_TYPE = {"bool": False, "dict": {}, "int": 1, "list": [], "str": "", "tuple": []}
ABOUT_ONESELF = {"actions": [], "prompts": [], "unlisten": None}
"""Operations that anybody may ask for, and what somebody gets who may nothing."""
REFUSED = ["action.denied"]
"""What a refused call leaves in the journal."""
NAMES_ARE_LOOKED_UP = (SubscriptionUnknown, TimerUnknown)
OPERATIONS = sorted(
    name for name in dir(Operations) if not name.startswith("_") and callable(getattr(Operations, name))
)


@pytest.fixture
def guarded(active_home):
    config = active_home / "remit.toml"
    config.write_text(config.read_text() + ROLES)
    return active_home


def arguments(name, plan):
    """What the operation takes, so far in order that policy decides."""
    found = {}
    for parameter in list(inspect.signature(getattr(Operations, name)).parameters.values())[2:]:
        kind = str(parameter.annotation).partition("[")[0]
        found[parameter.name] = GIVEN.get(parameter.name, BY_TYPE.get(kind))
    changed = {
        "apply": {"plan": plan},
        "blame": {"name": "assistant"},
        "document": {"name": "assistant"},
        "emit": {"reply_to": "", "data": {}},
        "emit_all": {"events": [["a.topic", {}]]},
        "listen": {"spec": {"wanted": {"topics": ["a.topic"]}}},
        "permit": {"action": "trust:change"},
        "plan": {"edits": {}},
        "trust_import": {"text": "{}", "name": "acme-root"},
        "trust_retire": {"name": "acme-root"},
    }
    return found | {key: value for key, value in changed.get(name, {}).items() if key in found}


@pytest.fixture
def served(guarded, other_kernel):
    other_kernel(guarded)
    with connect(guarded) as client:
        yield client


def refusal(client, name, caller, plan):
    try:
        return client.perform(name, arguments(name, plan), object, caller=caller, progress=no_progress)
    except RemitError as error:
        return error


def said(client):
    return [record["event"]["type"] for record in client.events()]


def test_who_may_nothing_is_refused_every_operation_and_leaves_that_on_record(served):
    plan, before = served.plan(remove=["acme/echo"]), said(served)
    odd = {}
    for name in OPERATIONS:
        answer = refusal(served, name, STRANGER, plan)
        expected = name in ABOUT_ONESELF and answer == ABOUT_ONESELF[name]
        unknown = name == "prompt" and isinstance(answer, ActionUnknown)  # no unit here has any: as a call would say
        if not (expected or unknown or isinstance(answer, (Denied, *NAMES_ARE_LOOKED_UP))):
            odd[name] = answer
    assert odd == {}
    assert said(served)[len(before) :] == REFUSED


def test_who_may_look_changes_nothing(served):
    plan, before = served.plan(remove=["acme/echo"]), said(served)
    done = [
        name
        for name in OPERATIONS
        if name not in READS and not isinstance(refusal(served, name, VIEWER, plan), RemitError)
    ]
    assert set(done) <= {"listen", *ABOUT_ONESELF}
    assert said(served)[len(before) :] == REFUSED


def test_who_may_call_is_not_told_what_there_is(guarded):
    with Kernel.open(guarded) as kernel:
        for attempt in (
            lambda: kernel.revoke("g000000000000", caller=CALLER),
            lambda: kernel.revoke(prefix="https://secret.example", caller=CALLER),
            lambda: kernel.renew(unit="acme/unknown", caller=CALLER),
            lambda: kernel.answer("c0000000000000000", given=True, caller=CALLER),
        ):
            with pytest.raises(Denied):
                attempt()
        with pytest.raises(GrantUnknown):
            kernel.revoke("g000000000000")


def test_policy_texts_are_read_for_those_who_may_publish(guarded):
    broken = {"policy/site.cedar": "permit ("}
    with Kernel.open(guarded) as kernel:
        for caller in (STRANGER, CALLER):
            for work in (kernel.policy_publish, kernel.policy_shadow, kernel.policy_diff, kernel.policy_what_if):
                with pytest.raises(Denied):
                    work(broken, caller=caller)
        with pytest.raises(Denied):
            kernel.policy_publish(broken, caller=VIEWER)
        with pytest.raises(PolicyInvalid):
            kernel.policy_publish(broken)


def test_names_and_facts_of_any_length_are_refused_and_not_kept(guarded):
    long = "x" * 100_000
    with Kernel.open(guarded) as kernel:
        home = EntityRef("Home", "h")
        for action, resource, facts in (
            (long, home, {}),
            ("trust:change", EntityRef(long, "h"), {}),
            ("trust:change", EntityRef("Home", long), {}),
            ("trust:change", home, {"change": long}),
            ("trust:change", home, {long: 1}),
            ("trust:change", home, {f"fact{number}": 1 for number in range(100)}),
        ):
            with pytest.raises(Denied) as refused:
                kernel.permit(action, resource, facts=facts)
            assert len(str(refused.value.details)) < 2_000
        with pytest.raises(Denied):
            kernel.permit("trust:change", caller=Caller(principal=long))


def test_a_quarantine_is_of_a_publisher(guarded):
    with Kernel.open(guarded) as kernel:
        for name in ("\u0430cme", "acme/echo", "", "a" * 65, "acme\n", "-acme", "ACME"):
            with pytest.raises(RemitError, match="not a publisher"):
                kernel.quarantine(name)
        kernel.quarantine("acme")
