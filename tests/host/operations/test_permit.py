"""What an operator does for a home outside its kernel: policy is asked first, and a yes is on record."""

from __future__ import annotations

import pytest

from remit.errors import ConfigInvalid, Denied
from remit.host import Kernel, connect
from remit.kernel.model import Caller, EntityRef

UNIT = EntityRef("Unit", "acme/echo")
OPERATORS = """
[operator.ann]
publishes = ["acme"]

[operator.olga]
roles = ["operator"]
"""


@pytest.fixture
def governed(home):
    """A home with an operator who publishes for ``acme``, and one who installs."""
    config = home / "remit.toml"
    config.write_text(config.read_text() + OPERATORS)
    return home


def given(kernel):
    return kernel.events(prefixes=["permission."])


def test_who_publishes_a_namespace_may_publish_its_units_and_no_others(governed):
    ann = Caller(principal="ann")
    with Kernel.open(governed) as kernel:
        kernel.permit("unit:publish", UNIT, facts={"registry": "registry.example.com"}, caller=ann)
        with pytest.raises(Denied):
            kernel.permit("unit:publish", EntityRef("Unit", "zeta/echo"), caller=ann)
        with pytest.raises(Denied):
            kernel.permit("unit:publish", UNIT, caller=Caller(principal="olga"))
        (event,) = given(kernel)
    assert event["event"]["data"]["principal"] == "ann"
    assert event["event"]["data"]["action"] == "unit:publish"
    assert event["event"]["data"]["facts"] == {"registry": "registry.example.com"}


def test_trust_is_changed_by_owners_alone(governed):
    domain = EntityRef("TrustDomain", "acme")
    with Kernel.open(governed) as kernel:
        kernel.permit("trust:change", domain, facts={"change": "rotate"})
        for other in ("ann", "olga", "nobody"):
            with pytest.raises(Denied):
                kernel.permit("trust:change", domain, facts={"change": "rotate"}, caller=Caller(principal=other))
        assert [event["event"]["subject"] for event in given(kernel)] == ["acme"]


def test_a_fact_that_the_schema_does_not_know_is_denied_and_leaves_no_record(governed):
    with Kernel.open(governed) as kernel:
        with pytest.raises(Denied):
            kernel.permit("trust:change", facts={"colour": "red"})
        assert given(kernel) == []


def test_the_same_over_the_socket(governed, other_kernel):
    other_kernel(governed)
    with connect(governed) as client:
        assert not client.is_kernel
        client.permit("unit:publish", UNIT, facts={"version": "1.0.0"}, caller=Caller(principal="ann"))
        with pytest.raises(Denied):
            client.permit("trust:change", caller=Caller(principal="ann"))


def test_a_namespace_is_a_name(home):
    config = home / "remit.toml"
    config.write_text(config.read_text() + '\n[operator.ann]\npublishes = ["Acme Inc"]\n')
    with pytest.raises(ConfigInvalid):
        Kernel.open(home)
