"""The plugin in a kernel of its own; the fixtures come with Remit."""

from __future__ import annotations

import acme_audit
import pytest

from remit.errors import InputInvalid


@pytest.fixture
def kernel(remit_kernel):
    return remit_kernel(plugins={"acme-audit": acme_audit})


def test_the_service_shouts(kernel):
    assert kernel.call("acme-audit/text:shout", {"text": "hello"}) == {"text": "HELLO"}


def test_the_service_takes_text_only(kernel):
    with pytest.raises(InputInvalid):
        kernel.call("acme-audit/text:shout", {"text": 1})


def test_calls_are_counted(kernel):
    before = acme_audit.calls.get("acme-audit/text:shout", 0)
    kernel.call("acme-audit/text:shout", {"text": "hello"})
    assert acme_audit.calls["acme-audit/text:shout"] == before + 1


def test_no_hook_failed(kernel):
    kernel.call("acme-audit/text:shout", {"text": "hello"})
    assert kernel.findings() == []
