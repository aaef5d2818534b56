"""The service does what its OpenAPI document says, for whatever requests can be made from it."""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.plugins.http.conftest import OWNER

EXAMPLES = 15 * int(os.environ.get("REMIT_SOAK", "1"))
READING = ["listModels", "readModel", "readEvents", "listActions", "healthy", "ready"]


@pytest.mark.parametrize("operation", [*READING, "emitEvent", "acme__echo__echo"])
def test_no_request_gets_past_the_document(served, operation):
    token = {"authorization": f"Bearer {OWNER}"}
    api = schemathesis.openapi.from_url(f"{served}/spec/openapi", headers=token)
    described = {found.ok().definition.raw["operationId"]: found.ok() for found in api.get_all_operations()}
    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
    @given(case=described[operation].as_strategy())
    def ask(case):
        case.call_and_validate(headers=token, checks=checks)

    ask()
