"""Special addresses, in every way of writing them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.policy.postures import schema_text
from remit.sandbox.egress.addresses import special_class

SPECIAL = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12:3456::1", "::ffff:10.0.0.1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"],
    "metadata": [
        "169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ],
    "shared": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "unspecified": ["0.0.0.0", "::"],
    "translated": ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "::8.8.8.8"],
    "reserved": ["240.0.0.1", "255.255.255.255", "fec0::1"],
}  # fmt: skip
CASES = [(address, kind) for kind, addresses in SPECIAL.items() for address in addresses]


@pytest.mark.parametrize(("address", "kind"), CASES)
def test_a_special_address_is_of_its_class(address, kind):
    assert special_class(address) == kind


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_an_address_of_the_open_internet_is_ordinary(address):
    assert special_class(address) == ""


def test_policy_knows_every_class():
    declared = schema_text().partition("entity AddressClass enum")[2].partition(";")[0]
    assert all(f'"{kind}"' in declared for kind in SPECIAL)
    assert declared.count('"') == 2 * len(SPECIAL)


@given(st.integers(0, 2**32 - 1))
def test_no_way_of_writing_an_address_makes_it_less_special(number):
    plain = special_class(str(IPv4Address(number)))
    written = (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80)
    for wrapped in written:
        assert special_class(str(IPv6Address(wrapped))) in ({plain} if plain else {"translated"})


@given(st.integers(0, 2**128 - 1))
def test_whatever_is_not_global_is_special(number):
    address = IPv6Address(number)
    assert address.is_global or special_class(str(address)) != ""


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "0x7f.1", "2130706433", "1.2.3.4.5"])
def test_what_is_no_address_is_an_error(text):
    with pytest.raises(ValueError, match="does not appear to be"):
        special_class(text)
