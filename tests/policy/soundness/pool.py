"""What random homes are made of: units, resources, policies; and Cedar over their plain texts."""

from __future__ import annotations

import cedarpy

from remit.kernel.model import Capability, UnitRef
from remit.policy.deciding.requests import capability_use
from remit.policy.deciding.resources import covers, parse_resource
from remit.policy.postures import PolicySet, posture_files, schema_text
from remit.policy.sets.engine import Engine, parse_schema
from remit.policy.sets.policyset import compile_set

UNITS = [
    UnitRef(name, version, f"sha256:{name}@{version}", "tool", admission)
    for name, admission in (("acme/one", "signed"), ("acme/two", "local"), ("zeta/one", "signed"))
    for version in ("1.0.0", "2.0.0")
]
RESOURCES = {
    "events:emit": ["text", "text.a", "text.a.deep", "text.b", "note", "note.x"],
    "fs:read": ["/srv", "/srv/a", "/srv/a/b", "/srv/.ssh/key", "/home/app/policy/x", "/var"],
    "net:http": ["https://a.example.com", "https://b.example.com", "http://a.example.com"],
    "action:call": ["acme/two", "acme/two:run", "acme/two:stop", "zeta/one:run"],
}
GRANTED = {
    "events:emit": ["text", "text.a", "note"],
    "fs:read": ["/srv", "/srv/a", "/home/app"],
    "net:http": RESOURCES["net:http"],
    "action:call": ["acme/two", "acme/two:run", "zeta/one:run"],
}
U, A, T = "Remit::Unit", "Remit::Action", "Remit::Topic"
POOL = [
    f'forbid (principal is {U}, action in {A}::"egress", resource) when {{ resource.scheme == "http" }};',
    f'forbid (principal in Remit::Publisher::"acme", action in {A}::"use", resource);',
    f'forbid (principal == {U}::"acme/one", action == {A}::"events:emit", resource in {T}::"text.a");',
    f'forbid (principal, action == {A}::"events:emit", resource == {T}::"text.a.deep");',
    f'forbid (principal is {U}, action, resource == {T}::"text");',
    f'forbid (principal is {U}, action in {A}::"use", resource) when {{ resource in {T}::"text.b" }};',
    f'forbid (principal is {U}, action in {A}::"use", resource) when {{ principal.version == "2.0.0" }};',
    (
        f'forbid (principal is {U}, action in {A}::"use", resource) '
        'unless { principal.admission == Remit::Admission::"signed" };'
    ),
    f'forbid (principal is {U}, action == {A}::"fs:read", resource in Remit::Path::"/srv/a/b");',
    (
        f'forbid (principal is {U}, action in [{A}::"fs:read", {A}::"net:http"], resource) '
        "when { context.lease has calls && context.lease.calls > 5 };"
    ),
    (
        f'forbid (principal is {U}, action in {A}::"use", resource) '
        "when { context.lease has calls && context.lease.calls * 9223372036854775807 < 0 };"
    ),
    f'permit (principal is {U}, action == {A}::"fs:read", resource in Remit::Path::"/srv");',
    f'permit (principal == {U}::"zeta/one", action == {A}::"net:http", resource);',
    f'forbid (principal is {U}, action == {A}::"action:call", resource == Remit::UnitAction::"acme/two:stop");',
    f'forbid (principal is {U}, action == {A}::"action:call", resource is Remit::UnitAction);',
    f'forbid (principal is {U}, action in {A}::"egress", resource in Remit::Domain::"b.example.com");',
    (
        f'@decision("ask") permit (principal, action == {A}::"net:http", resource in Remit::Domain::"example.com") '
        "when { context.lease.approved };"
    ),
    f'forbid (principal is {U}, action == {A}::"events:emit", resource) when {{ resource == {T}::"note.x" }};',
]


def sources():
    """Every policy of the pool and of the posture: id to text, trees by id."""
    files = posture_files("standard")
    files |= {f"pool{n}": f'@id("pool.{n}")\n{text}' for n, text in enumerate(POOL)}
    return files, compile_set(files, parse_schema(schema_text()))


class Pool:
    """Compiled once: trees for the authority, handles of the plain texts for the oracle."""

    def __init__(self):
        self.schema = parse_schema(schema_text())
        files, (self.trees, findings, _) = sources()
        assert not [one for one in findings if one.severity == "error"], findings
        self.base = "\n".join(text for name, text in files.items() if not name.startswith("pool"))
        self.texts = {f"pool.{n}": files[f"pool{n}"] for n in range(len(POOL))}
        self._sets = {}
        self._scopes = {}

    def policies(self, chosen):
        trees = {name: tree for name, tree in self.trees.items() if not name.startswith("pool.") or name in chosen}
        return PolicySet(Engine(trees, self.schema), f"sha256:{sorted(chosen)}")

    def whole(self, chosen):
        """The set as any Cedar would read it, without our engine."""
        if chosen not in self._sets:
            if len(self._sets) > 200:
                self._sets.clear()
            text = "\n".join([self.base, *(self.texts[name] for name in sorted(chosen))])
            self._sets[chosen] = cedarpy.PolicySet.from_str(text)
        return self._sets[chosen]

    def in_scope(self, name, unit, action, resource):
        """Whether the scope alone of a policy reaches a use: Cedar decides, over the policy without conditions."""
        key = name, unit.id, action, resource
        if key not in self._scopes:
            tree = self.trees[name]
            bare = cedarpy.pst.Template(
                "x", "permit", tree.principal, tree.action, tree.resource, (), cedarpy.pst.FrozenMap()
            )
            request = capability_use(unit, Capability(action, resource), declared=True, approved=False, units={})
            engine = Engine({"x": bare}, self.schema)
            answer = engine.authorize(request.cedar(), engine.entities(request.entities), sliced=False)
            self._scopes[key] = answer.decision == "allow"
        return self._scopes[key]

    def reach(self, chosen, grant):
        """The chosen policies whose scope reaches the grant's resource or one below it, by trying every resource."""
        root = parse_resource(grant.capability.action, grant.capability.resource)
        action = grant.capability.action
        below = [one for one in RESOURCES[action] if covers(root, parse_resource(action, one))]
        return frozenset(name for name in chosen if any(self.in_scope(name, grant.unit, action, one) for one in below))
