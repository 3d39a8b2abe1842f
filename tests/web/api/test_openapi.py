"""The OpenAPI document is what the API does: schemathesis makes requests from it, and holds the answers to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from integration_server import Watchdog
from integration_server.sdk.http import HttpClient
from integration_server.store import Store
from tests.web.api.conftest import OPERATIONS, Api, empty_api
from tests.web.api.test_deliveries_api import add
from tests.web.api.test_sync_api import hold


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json", token=None)
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_is_described_in_full(document: dict[str, Any]) -> None:
    names = []
    for methods in document["paths"].values():
        for operation in methods.values():
            names.append(operation["operationId"])
            assert operation["summary"]
            assert "Scope: " in operation["description"]
            assert {"400", "401", "403", "422", "503"} <= set(operation["responses"])
            for parameter in operation["parameters"]:
                assert parameter["in"] == "path" or parameter["description"], parameter
    assert len(names) == len(set(names))


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def busy(shared_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API with people, subscriptions, a delivery that failed and a held run; it is never emptied here."""
    client = HttpClient(["127.0.0.0/8"], Watchdog())
    api = empty_api(shared_store, tmp_path_factory.mktemp("busy"), client)
    for number in range(3):
        api.put("hq", f"p{number}", "staff")
    for number in range(5):
        api.subscribe(uid=f"subscription {number}", headers={"X-A": "1"})
    hold(api)
    yield api
    client.close()


@pytest.fixture(scope="module")
def loaded(busy: Api) -> Any:
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", busy.app)


def _lead_somewhere(case: schemathesis.Case, template: str, api: Api) -> None:
    """Let the request be about something that exists, as generated ones hardly ever are."""
    if "{backend}" in template:
        case.path_parameters = {"backend": "hq"}
    if "{id}" in template:
        # Nothing listens there, so that nothing is looked up or connected to elsewhere.
        id = api.subscribe(url="http://127.0.0.1:9/")["id"]
        if template.startswith("/deliveries"):
            id = str(add(api, id, 1, "dead"))
        case.path_parameters = {"id": id}
    if isinstance(case.body, dict):
        for name in {"type", "resource", "uid"} & case.body.keys():
            del case.body[name]
        if "url" in case.body:
            case.body["url"] = "https://receiver.example/"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "misfit"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_to_generated_requests_are_as_the_document_says(
    method: str, path: str, mode: GenerationMode, busy: Api, loaded: Any
) -> None:
    template = path.replace("/ID", "/{id}").replace("/7/", "/{id}/").replace("/hq", "/{backend}")
    strategy = loaded[template][method].as_strategy(generation_mode=mode)
    statuses: Counter[int] = Counter()

    @settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy, is_real=st.booleans())
    def send(case: schemathesis.Case, is_real: bool) -> None:
        if is_real and mode is GenerationMode.POSITIVE:
            _lead_somewhere(case, template, busy)
        if isinstance(case.body, dict) and "verify_intent" in case.body:
            case.body["verify_intent"] = False
        response = case.call(headers={"Authorization": f"Bearer {busy.plain}"})
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    send()
    if mode is GenerationMode.POSITIVE:
        # 409: of the runs and deliveries that it could be about, hardly any is in the state for it.
        assert any(status < 300 or status == 409 for status in statuses), statuses
