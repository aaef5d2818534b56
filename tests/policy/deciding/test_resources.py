from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ResourceInvalid
from remit.policy import GRAMMARS, covers, parse_resource

WORD = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
WORDS = st.lists(WORD, min_size=1, max_size=5)

REFUSED = {
    "net:http": [
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://exämple.com",
        "https://example.com.",
        "https://example.com/path",
        "https://example.com?x",
        "https://example.com#x",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:",
        "ftp://example.com",
        "//example.com",
        "example.com",
        "https://",
        "https://0x7f.1",
        "https://127.1",
        "https://2130706433",
        "https://1.2.3.4.5",
        "https://01.2.3.4",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://*.example.com",
        "https://exa mple.com",
        "https://example.com\n",
        "https:\\\\example.com",
        "https://-a.com",
        "https://a..b",
        "https://" + "a" * 64 + ".com",
        "https://example.com:80:80",
        "https://%65xample.com",
    ],
    "fs:read": [
        "",
        "data",
        "./data",
        "/data/../etc",
        "/data//x",
        "/data/./x",
        "//",
        "//data",
        "/data\n",
        "/data\x00",
        "/a\\b",
        "/cafe\u0301",
        "/a\u202eb",
        "/a\u200bb",
        "/" + "a/" * 70,
        "~/.ssh",
    ],
    "events:emit": [
        "",
        "Ticket.created",
        "ticket..created",
        ".ticket",
        "ticket.",
        "ticket created",
        "ticket.created\n",
        "ticket.*",
        "tïcket",
        "a." * 150 + "a",
    ],
    "action:call": [
        "",
        "redact",
        "Acme/redact",
        "acme/redact:",
        "acme/redact:a:b",
        "acme/redact:redact@^1",
        "acme//redact",
        "/redact",
        'acme/"redact',
        "acme/redact\n",
        "acme/-redact",
    ],
    "secret:read": ["", "-x", "a b", "a/b", "a\n", "ключ", "a" * 200],
}
CASES = [(action, text) for action, texts in REFUSED.items() for text in texts]


@pytest.mark.parametrize(("action", "text"), CASES)
def test_malformed_resources_are_refused_with_a_remedy(action, text):
    with pytest.raises(ResourceInvalid) as caught:
        parse_resource(action, text)
    assert caught.value.remedy


@pytest.mark.parametrize("action", sorted(GRAMMARS))
def test_a_megabyte_is_refused_with_a_short_message(action):
    with pytest.raises(ResourceInvalid) as caught:
        parse_resource(action, "/" + "a" * (1 << 20))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("action", ["", "net:ftp", "use", "x" * 10_000, "net:http\n"])
def test_unknown_capabilities_are_refused(action):
    with pytest.raises(ResourceInvalid):
        parse_resource(action, "https://example.com")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTPS://API.Example.COM", "https://api.example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://xn--exmple-cua.com", "https://xn--exmple-cua.com"),
        ("https://[2001:DB8:0:0::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://127.0.0.1", "https://127.0.0.1"),
    ],
)
def test_one_origin_has_one_spelling(text, canonical):
    assert parse_resource("net:http", text).text == canonical


@given(
    st.sampled_from(sorted(GRAMMARS)),
    st.text(max_size=80) | WORDS.map("/".join) | WORDS.map(lambda w: "/" + "/".join(w)),
)
def test_any_text_is_refused_or_has_a_canonical_form_that_is_its_own(action, text):
    try:
        resource = parse_resource(action, text)
    except ResourceInvalid:
        return
    assert parse_resource(action, resource.text) == resource
    assert covers(resource, resource)


@given(WORDS, WORDS)
def test_a_topic_covers_exactly_itself_and_what_continues_it_by_a_dot(one, other):
    expected = other[: len(one)] == one
    assert (
        covers(parse_resource("events:emit", ".".join(one)), parse_resource("events:emit", ".".join(other))) == expected
    )


@given(WORDS, WORDS)
def test_a_folder_covers_exactly_itself_and_what_is_below(one, other):
    expected = other[: len(one)] == one
    folder, path = ("/" + "/".join(words) for words in (one, other))
    assert covers(parse_resource("fs:read", folder), parse_resource("fs:read", path)) == expected


@pytest.mark.parametrize(
    ("action", "declared", "concrete"),
    [
        ("fs:read", "/data", "/database"),
        ("fs:read", "/data/in", "/data"),
        ("events:emit", "text", "textual.redacted"),
        ("net:http", "https://example.com", "https://api.example.com"),
        ("net:http", "https://example.com", "http://example.com"),
        ("net:http", "https://example.com", "https://example.com:8443"),
        ("net:http", "https://example.com", "https://example.com.evil.net"),
        ("action:call", "acme/redact", "acme/redacted:redact"),
        ("action:call", "acme/redact:redact", "acme/redact:other"),
        ("action:call", "acme/redact:redact", "acme/redact"),
        ("secret:read", "key", "key.other"),
    ],
)
def test_a_neighbour_is_not_covered(action, declared, concrete):
    assert not covers(parse_resource(action, declared), parse_resource(action, concrete))


def test_a_unit_covers_its_actions():
    assert covers(parse_resource("action:call", "acme/redact"), parse_resource("action:call", "acme/redact:redact"))


def test_the_root_covers_every_path():
    assert covers(parse_resource("fs:read", "/"), parse_resource("fs:read", "/data/in"))
