"""The engine against Cedar itself: any policies, entities and requests, with and without slicing, one answer."""

from __future__ import annotations

import os
import random
import re
from collections import Counter

import cedarpy
import pytest

from remit.policy.sets.engine import Engine

SETS = 60 * int(os.environ.get("REMIT_SOAK", "1"))
REQUESTS = 20

SCHEMA = """
entity Group in [Group];
entity User in [Group] = { "level": Long, "home"?: Box, "tags": Set<String> };
type Facts = { "n": Long, "ok"?: Bool };
entity Box in [Box, Group] = { "size": Long, "owner"?: User, "open": Bool };
action "all";
action "look", "touch" in [Action::"all"];
action "read", "list" in [Action::"look"] appliesTo { principal: [User], resource: [Box], context: Facts };
action "write" in [Action::"touch"] appliesTo { principal: [User], resource: [Box, Group], context: Facts };
action "drop" in [Action::"touch", Action::"look"]
  appliesTo { principal: [User], resource: [Box], context: Facts };
"""
ACTIONS = ["read", "list", "write", "drop", "look", "touch", "all"]
CONDITIONS = [
    "context.n > 3",
    "context.ok",  # fails where it is absent
    "context has ok && context.ok",
    "context.n * 9223372036854775807 > 0",  # overflows for most n
    "principal.level + context.n > 4",
    "principal.home == resource",
    "resource in principal",
    'principal in Group::"g1"',
    'resource in [Box::"b0", Box::"b3"]',
    'principal.tags.contains("a")',
    "resource.size < context.n",
    "resource.owner == principal",
    'action in Action::"look"',
    "if context.n > 2 then resource.open else principal.missing",
    "false",
]


class Case:
    """One random world: hierarchies, policies over them, and questions."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        chosen = self.random
        self.groups = [f"g{n}" for n in range(chosen.randint(1, 6))]
        self.users = [f"u{n}" for n in range(chosen.randint(1, 5))]
        self.boxes = [f"b{n}" for n in range(chosen.randint(1, 6))]
        self.with_schema = chosen.random() < 0.7
        self.policies = "\n".join(self.policy() for _ in range(chosen.randint(0, 40)))
        self.entities = self.graph()

    def some(self, names, most=2):
        return self.random.sample(names, min(len(names), self.random.randint(0, most)))

    def graph(self):
        """Every entity with parents later in its own list, so that nothing circles; some are not listed at all."""
        found = []
        for place, name in enumerate(self.groups):
            found.append(self.entity("Group", name, [("Group", one) for one in self.some(self.groups[place + 1 :])]))
        for name in self.users:
            attrs = {"level": self.random.randint(0, 5), "tags": self.some(["a", "b"])}
            if self.random.random() < 0.5:
                attrs["home"] = {"__entity": {"type": "Box", "id": self.random.choice(self.boxes)}}
            found.append(self.entity("User", name, [("Group", one) for one in self.some(self.groups)], attrs))
        for place, name in enumerate(self.boxes):
            attrs = {"size": self.random.randint(0, 5), "open": self.random.random() < 0.5}
            parents = [("Box", one) for one in self.some(self.boxes[place + 1 :])]
            parents += [("Group", one) for one in self.some(self.groups, 1)]
            found.append(self.entity("Box", name, parents, attrs))
        if not self.with_schema:
            groups = {"read": ["look"], "list": ["look"], "write": ["touch"], "drop": ["touch", "look"]}
            groups |= {"look": ["all"], "touch": ["all"], "all": []}
            found += [self.entity("Action", name, [("Action", one) for one in up]) for name, up in groups.items()]
        return [one for one in found if one["uid"]["type"] == "Action" or self.random.random() < 0.9]

    def entity(self, kind, name, parents, attrs=None):
        wrap = self.random.random() < 0.3
        uids = [{"type": one, "id": up} for one, up in parents]
        return {
            "uid": {"type": kind, "id": name},
            "attrs": attrs or {},
            "parents": [{"__entity": uid} for uid in uids] if wrap else uids,
        }

    def policy(self):
        chosen = self.random
        principal = chosen.choice(
            ["principal", "principal is User", f'principal == User::"{chosen.choice(self.users)}"']
            + [f'principal in Group::"{name}"' for name in self.groups]
            + [f'principal is User in Group::"{chosen.choice(self.groups)}"']
        )
        actions = [f'Action::"{name}"' for name in chosen.sample(ACTIONS, chosen.randint(1, 3))]
        action = chosen.choice(
            ["action", f"action == {actions[0]}", f"action in {actions[0]}", f"action in [{', '.join(actions)}]"]
        )
        resource = chosen.choice(
            ["resource", "resource is Box", f'resource == Box::"{chosen.choice(self.boxes)}"']
            + [f'resource in Box::"{name}"' for name in self.boxes]
            + [f'resource is Box in Group::"{chosen.choice(self.groups)}"', f'resource in User::"{self.users[0]}"']
        )
        clauses = " ".join(
            f"{chosen.choice(['when', 'unless'])} {{ {chosen.choice(CONDITIONS)} }}"
            for _ in range(chosen.choice([0, 0, 1, 1, 2]))
        )
        mark = chosen.choice(["", "", f'@id("p{chosen.randint(0, 30)}") '])
        return f"{mark}{chosen.choice(['permit', 'permit', 'forbid'])} ({principal}, {action}, {resource}) {clauses};"

    def request(self):
        chosen = self.random
        resource = chosen.choice([("Box", name) for name in [*self.boxes, "elsewhere"]] + [("Group", self.groups[0])])
        context = {"n": chosen.randint(-1, 6)} | ({"ok": chosen.random() < 0.5} if chosen.random() < 0.5 else {})
        if chosen.random() < 0.05:
            context = {"n": "wrong"}
        return {
            "principal": {"type": "User", "id": chosen.choice([*self.users, "nobody"])},
            "action": {"type": "Action", "id": chosen.choice([*ACTIONS, "unknown"])},
            "resource": {"type": resource[0], "id": resource[1]},
            "context": context,
        }


def cedar_itself(case, request, names):
    """Cedar's answer over the texts, in our words."""
    schema = SCHEMA if case.with_schema else None
    result = cedarpy.is_authorized(request, case.policies, case.entities, schema)
    failed = [re.search(r"policy `([^`]*)`", text) for text in result.diagnostics.errors]
    words = {cedarpy.Decision.Allow: "allow", cedarpy.Decision.Deny: "deny"}
    return (
        words.get(result.decision, "none"),
        tuple(sorted(names[one] for one in result.diagnostics.reasons)),
        tuple(sorted(names[one[1]] if one else "?" for one in failed)),
    )


def names_of(text):
    """Cedar's positional ids to the ids that answers carry: ``@id`` where it is unique."""
    ids = [(re.match(r'@id\("([^"]*)"\)', line) or [None, ""])[1] for line in text.splitlines()]
    counts = Counter(ids)
    return {f"policy{n}": one if one and counts[one] == 1 else f"policy{n}" for n, one in enumerate(ids)}


def test_answers_equal_cedars_own_with_and_without_slicing(record_property):
    record_property("requests, each decided with and without slicing", SETS * REQUESTS)
    decisions = Counter()
    for seed in range(SETS):
        case = Case(seed)
        engine = Engine.parse(case.policies, SCHEMA if case.with_schema else None)
        facts = engine.entities(case.entities)
        names = names_of(case.policies)
        for _ in range(REQUESTS):
            request = case.request()
            expected = cedar_itself(case, request, names)
            for sliced in (True, False):
                answer = engine.authorize(request, facts, sliced=sliced)
                assert (answer.decision, answer.reasons, answer.errors) == expected, (seed, sliced, request)
            decisions[expected[0], bool(expected[2])] += 1
    # The worlds must not be trivial: every kind of answer occurs, and policies fail beside those that decide.
    assert {("allow", True), ("allow", False), ("deny", True), ("deny", False)} <= decisions.keys()


def test_a_slice_holds_far_less_than_the_set():
    text = "\n".join(
        f'permit (principal == User::"u{n}", action in Action::"look", resource in Box::"b{n % 7}");'
        for n in range(500)
    )
    engine = Engine.parse(text, SCHEMA)
    uid = {"type": "User", "id": "u3"}
    facts = engine.entities([{"uid": uid, "attrs": {"level": 1, "tags": []}, "parents": []}])
    box = {"type": "Box", "id": "b3"}
    request = {"principal": uid, "action": {"type": "Action", "id": "read"}, "resource": box, "context": {"n": 1}}
    assert engine.reach(request, facts) == {"policy3"}
    assert engine.authorize(request, facts).reasons == ("policy3",)


@pytest.mark.parametrize("form", ["dict", "entity", "text"])
def test_each_written_form_of_an_entity_gives_the_same_answer(form):
    engine = Engine.parse('permit (principal == User::"ann", action, resource in Box::"top");')
    entities = [{"uid": {"type": "Box", "id": "b"}, "attrs": {}, "parents": [{"type": "Box", "id": "top"}]}]
    facts = engine.entities(entities)

    def write(kind, name):
        uid = {"type": kind, "id": name}
        return {"dict": uid, "entity": {"__entity": uid}, "text": f'{kind}::"{name}"'}[form]

    request = {"principal": write("User", "ann"), "action": write("Action", "read"), "resource": write("Box", "b")}
    assert engine.authorize(request | {"context": {}}, facts).reasons == ("policy0",)


def test_uids_in_an_unusual_form_are_decided_over_the_whole_set():
    engine = Engine.parse('permit (principal, action, resource in Box::"top");')
    facts = engine.entities([])
    request = {"principal": 'User::"a\\"b"', "action": 'Action::"read"', "resource": 'Box::"top"', "context": {}}
    assert engine.reach(request, facts) == {"policy0"}
    assert engine.authorize(request, facts).decision == "allow"


def test_policies_too_deep_for_the_syntax_tree_are_still_cedar():
    text = "permit (principal, action, resource) when { " + "(" * 200 + "true" + " && true)" * 200 + " };"
    engine = Engine.parse(text)
    request = {"principal": 'U::"a"', "action": 'Action::"b"', "resource": 'R::"c"', "context": {}}
    assert engine.authorize(request, engine.entities([])).reasons == ("policy0",)


def test_templates_in_a_text_decide_nothing():
    engine = Engine.parse("permit (principal == ?principal, action, resource);\npermit (principal, action, resource);")
    request = {"principal": 'U::"a"', "action": 'Action::"b"', "resource": 'R::"c"', "context": {}}
    answer = engine.authorize(request, engine.entities([]))
    whole = engine.authorize(request, engine.entities([]), sliced=False)
    assert (answer.decision, len(answer.reasons)) == ("allow", 1)
    assert answer == whole
