"""The manifest: read whole as it was written, and nothing but ``ManifestInvalid`` from any text."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import ManifestInvalid
from remit.kernel.model import Budget, Capability, Limits
from remit.schemas import Fault
from remit.units import manifest as m
from tests.units.manifests import CONFIG, FILES, TOOL, TRANSFORM, changed, toml

# ---- what a right manifest says ----


def test_a_whole_manifest_is_read_as_written():
    manifest = m.parse(toml(TOOL))
    assert manifest == m.Manifest(
        id="acme/redact",
        version="1.2.0",
        kind="tool",
        title="Redact personal data",
        license="Apache-2.0",
        runtime=m.Runtime(artifact="redact.wasm", memory=64 << 20, deadline_ms=250, fuel=200_000_000, reuse="kept"),
        requires=m.Requires(
            remit=">=0.1,<0.2", world="0.1", units={"acme/base": "^1.0"}, conflicts=("acme/old-redact",)
        ),
        parameters=m.Parameters(schema="schemas/parameters.json", defaults={"mask": "█"}),
        actions=(
            m.ActionDecl(name="redact", input="schemas/in.json", output="schemas/out.json", idempotent=True),
            m.ActionDecl(name="count", title="Count only"),
        ),
        fills=(m.Fill(slot="guard", action="redact"),),
        on=(m.Subscription(topic="ticket.created", qos="background", attempts=5),),
        capabilities=(
            Capability(
                action="net:http",
                resource="https://dictionary.example.com",
                methods=("GET",),
                budget=Budget(window_ms=3_600_000, calls=1000, bytes=1 << 20),
                reason="fetch the list of names to mask",
                optional=True,
            ),
            Capability(action="events:emit", resource="text.redacted"),
            Capability(action="events:subscribe", resource="ticket.created", reason="reacts to it"),
        ),
        patches=(
            m.Patch(target="assistant", op="merge", value={"guards": {"redact": True}}),
            m.Patch(target="routing", op="json-patch", value=[{"op": "add", "path": "/a", "value": 1}]),
        ),
        tests=(
            m.Golden(action="redact", input={"text": "mail bob@example.com"}, expect={"text": "mail █"}),
        ),
        build=m.Build(tool="componentize-py", source="src"),
    )  # fmt: skip


def test_absent_tables_are_their_defaults():
    manifest = m.parse(toml(CONFIG))
    assert (manifest.runtime, manifest.transform, manifest.build) == (None, None, None)
    assert manifest.requires == m.Requires(remit="*", world="*")
    assert manifest.patches[0].op == "merge"


def test_limits_are_the_manifests_and_defaults_for_the_rest():
    assert m.limits_of(m.parse(toml(TOOL))) == Limits(memory=64 << 20, deadline_ms=250, fuel=200_000_000)
    sizes = {"stack": "1MiB", "input": "1KiB", "output": "2MiB", "state": "3MiB"}
    counts = {"host_calls": 7, "log_lines": 8, "effects": 9}
    larger = {name: int(size[0]) << (10 if "K" in size else 20) for name, size in sizes.items()} | counts
    assert m.limits_of(m.parse(toml(changed(TOOL, runtime={"artifact": "redact.wasm"} | sizes | counts)))) == Limits(
        **larger
    )
    assert m.limits_of(m.parse(toml(TRANSFORM))) == Limits()
    assert m.limits_of(m.parse(toml(CONFIG))) == Limits()


def test_interfaces_follow_from_kind_and_capabilities():
    pure = {"types", "log", "parameters"}
    tool = pure | {"state", "clock", "random"}
    assert m.interfaces_of(m.parse(toml(CONFIG))) == frozenset()
    assert m.interfaces_of(m.parse(toml(TRANSFORM))) == pure
    assert m.interfaces_of(m.parse(toml(changed(TOOL, capability=[])))) == tool
    for action, resource, interface in (
        ("events:emit", "text.redacted", {"events"}),
        ("events:subscribe", "text.redacted", set()),
        ("net:http", "https://a.example", {"http"}),
        ("fs:read", "/srv", {"files"}),
        ("fs:write", "/srv", {"files"}),
        ("secret:read", "token", {"secrets"}),
        ("action:call", "acme/base:go", {"actions"}),
    ):
        manifest = m.parse(toml(changed(TOOL, capability=[{"action": action, "resource": resource}])))
        assert m.interfaces_of(manifest) == tool | interface


# ---- no text gives anything but a manifest or its faults ----

junk = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6)
    | st.sampled_from(["redact", "net:http", "json-patch", "merge", "1MiB", "/a/0", "acme/redact", "^1", "lease.x"])
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["op", "path", "from", "value", "action", "resource", "name", "budget", "window", "units", "a"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@st.composite
def mangled(draw):
    document = copy.deepcopy(draw(st.sampled_from([TOOL, CONFIG, TRANSFORM])))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while True:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
                break
            place = inner
        place[key] = draw(junk)
    return document


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(mangled())
def test_a_mangled_manifest_is_read_or_gives_its_faults(document):
    try:
        text = toml(document)
    except (ValueError, TypeError, KeyError):  # tomlkit cannot write everything, e.g. lists of mixed tables
        return
    try:
        manifest = m.parse(text)
    except ManifestInvalid as error:
        found = error.details["faults"]
        json.dumps(found)
        ok = bool(found) and all(set(fault) == {"path", "message"} for fault in found)
    else:
        ok = all(isinstance(fault, Fault) for fault in m.check_files(manifest, FILES))
    assert ok


@given(st.binary(max_size=200) | st.text("[]{}=.\"'\n a1#", max_size=80).map(str.encode))
def test_any_bytes_are_a_manifest_or_its_faults(data):
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(data)
    assert caught.value.details["faults"]


def test_a_large_manifest_is_refused():
    with pytest.raises(ManifestInvalid, match="are allowed"):
        m.parse(b"#" * (257 << 10))


def test_every_fault_survives_the_socket():
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(b"x = 1")
    assert json.loads(json.dumps(caught.value.as_dict()))["code"] == "RM-2001"
