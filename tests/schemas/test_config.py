"""``remit.toml``: every fault listed, variables kept as they stand until they are used."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ConfigInvalid, RemitError, VariableMissing
from remit.host.home.template import TEMPLATE
from remit.kernel.model import Limits
from remit.schemas.config import Config, Operator, expand, load_config

HEAD = 'schema = "home/v1"\n'


def _load(text):
    return load_config((HEAD + text).encode())


def test_the_template_of_a_new_home_is_valid():
    config = load_config(TEMPLATE.encode())
    assert config.policy.posture == "standard"
    assert config.documents["assistant"].base == {"model": "small", "guards": {}}
    assert config.units == ()


def test_units_keep_their_order_parameters_and_slots():
    config = _load("""
[[unit]]
id = "acme/b"
version = "^1.0"
parameters = { depth = 3, words = ["x"] }
[[unit]]
id = "acme/a"
slots = { guard = true }
""")
    assert [unit.id for unit in config.units] == ["acme/b", "acme/a"]
    assert config.units[0].parameters == {"depth": 3, "words": ["x"]}
    assert (config.units[0].version, config.units[1].version) == ("^1.0", "*")
    assert config.units[1].slots == {"guard": True}


def test_every_fault_is_listed_with_its_path():
    with pytest.raises(ConfigInvalid) as caught:
        _load("""
colour = "red"
[policy]
posture = "careless"
[[unit]]
id = "NotAnId"
[[unit]]
id = "acme/a"
version = 5
[[unit]]
id = "acme/b"
[[unit]]
id = "acme/b"
""")
    paths = {fault["path"] for fault in caught.value.details["faults"]}
    assert {"colour", "policy.posture", "unit[0].id", "unit[1].version", "unit[3].id"} <= paths
    assert f"{len(caught.value.details['faults'])} fault(s)" in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'schema = "home/v9"',
        b"\xff\xfe",
        b"a = ",
        b"[[unit]\n",
        b"x = " + b"[" * 50_000,
        b"a = 1\na = 2",
        HEAD.encode() + b"unit = 5",
        HEAD.encode() + b"unit = [1, 2]",
    ],
)
def test_what_is_no_configuration_is_refused(data):
    with pytest.raises(ConfigInvalid) as caught:
        load_config(data)
    assert caught.value.details["faults"]


def test_a_configuration_has_a_size():
    with pytest.raises(ConfigInvalid, match="allowed"):
        load_config(HEAD.encode() + b"#" * (1 << 20))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (HEAD + text).encode()))
def test_any_bytes_are_a_configuration_or_a_typed_error(data):
    try:
        assert isinstance(load_config(data), Config)
    except RemitError as error:
        assert isinstance(error, ConfigInvalid)  # noqa: PT017 - both outcomes are right


def test_variables_stay_as_they_are_written():
    config = _load('[[unit]]\nid = "acme/a"\nparameters = { token = "${TOKEN}" }')
    assert config.units[0].parameters == {"token": "${TOKEN}"}


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["${A}", "x${A}y${B}", "$A", "${", "${1}", "plain", "${A}${A}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON)
def test_expansion_replaces_every_variable_once_and_nothing_else(value):
    environment = {"A": "${B}", "B": "b"}

    def expected(part):
        if isinstance(part, str):
            return part.replace("${B}", "\0").replace("${A}", "${B}").replace("\0", "b")
        if isinstance(part, dict):
            return {key: expected(inner) for key, inner in part.items()}
        return [expected(inner) for inner in part] if isinstance(part, list) else part

    assert expand(value, environment) == expected(value)


def test_expansion_reads_the_environment(monkeypatch):
    monkeypatch.setenv("REMIT_TEST_TOKEN", "hunter2")
    assert expand({"token": ["${REMIT_TEST_TOKEN}"]}) == {"token": ["hunter2"]}


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("REMIT_TEST_TOKEN", raising=False)
    with pytest.raises(VariableMissing, match="REMIT_TEST_TOKEN"):
        expand({"a": [{"b": "x ${REMIT_TEST_TOKEN}"}]})


def test_the_local_operator_owns_the_home_unless_the_file_says_otherwise():
    assert _load("").operators == {"local": Operator(("owner",))}
    assert _load('[operator.alice]\nroles = ["admin"]').operators == {
        "local": Operator(("owner",)), "alice": Operator(("admin",))
    }  # fmt: skip
    assert _load("[operator.local]\nroles = []").operators == {"local": Operator()}


@pytest.mark.parametrize(
    ("line", "field", "most"),
    [('memory = "1MiB"', "memory", 1 << 20), ('deadline = "50ms"', "deadline_ms", 50), ("effects = 3", "effects", 3),
     ("fuel = 1000", "fuel", 1000), ('state = "1KiB"', "state", 1 << 10), ("host_calls = 7", "host_calls", 7)],
)  # fmt: skip
def test_no_unit_gets_more_than_the_hosts_ceiling_nor_more_than_it_asked(line, field, most):
    config = _load(f"[limits]\n{line}")
    assert getattr(config.ceiling(Limits()), field) == most
    modest = msgspec.structs.replace(Limits(), **{field: 1})
    assert config.ceiling(modest) == modest
    assert _load("").ceiling(Limits()) == Limits()


def test_plugins_may_be_disabled():
    assert _load('[plugin]\ndisable = ["noisy"]').plugin.disable == ("noisy",)


def test_secrets_say_where_they_are_and_calls_how_they_are_recorded():
    config = _load("""
[secret.api-token]
env = "API_TOKEN"
[secret."Other.One"]
file = "secrets/one"
[record]
mode = "digests"
""")
    assert config.secrets == {"api-token": {"env": "API_TOKEN"}, "Other.One": {"file": "secrets/one"}}
    assert config.record == {"mode": "digests"}
    assert _load("").record == {}


@pytest.mark.parametrize("text", [
    '[secret.x]\nvalue = "s3cret"', '[secret.x]\nenv = "A"\nfile = "b"', "[secret.x]", '[secret.x]\nenv = "A-B"',
    '[secret."../x"]\nenv = "A"', '[record]\nmode = "everything"', '[record]\ncalls = "full"',
])  # fmt: skip
def test_a_secret_itself_and_other_places_have_no_room_in_the_file(text):
    with pytest.raises(ConfigInvalid) as caught:
        _load(text)
    assert "s3cret" not in str(caught.value)
