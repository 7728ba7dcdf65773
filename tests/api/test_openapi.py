"""The OpenAPI document: made without a warning, and true for a live site under odd requests."""

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, given, settings
from rest_framework.test import APIClient
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests import factories
from tests.api.world import make_world

EXAMPLES = 8
load_all_checks()


@pytest.fixture
def document(tmp_path) -> dict:
    file = tmp_path / "openapi.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file), "--api-version", "v1")
    return yaml.safe_load(file.read_text())


def test_the_document_is_made_without_a_warning(document):
    assert len(document["paths"]) > 30


def test_every_operation_tells_the_shape_of_errors(document):
    answers = [operation["responses"] for path in document["paths"].values() for operation in path.values()]
    assert all("default" in answer for answer in answers)


@pytest.mark.django_db
def test_the_document_is_served_to_whoever_holds_a_token(api):
    answer = api.get("/api/v1/schema/", headers={"accept": "application/vnd.oai.openapi"})
    assert answer.status_code == 200


@pytest.mark.django_db
def test_strangers_do_not_get_the_document():
    assert APIClient().get("/api/v1/schema/").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_no_odd_request_makes_a_live_site_fail(live_server, document):
    """Every operation, a few odd requests each: never a 500, and always the JSON that the document promises."""
    world = make_world()
    headers = {"Authorization": f"Bearer {factories.make_secret(world.project)}"}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        try_oddly(found.ok(), live_server.url, headers)


def try_oddly(operation, url: str, headers: dict[str, str]) -> None:
    """The same few requests in every run: generated from the document, good and bad ones."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def one(case):
        response = case.call(base_url=url, headers=headers, timeout=20)
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])

    one()
