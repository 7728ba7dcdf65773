"""The OpenAPI document: made without a warning, and true for a live site under odd requests."""

import re

import pytest
import schemathesis
import yaml
from django.core.management import call_command
from django.urls import resolve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from rest_framework.test import APIClient
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests import factories
from tests.api.world import World, make_world

EXAMPLES = 6
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
    statuses = {
        status
        for found in schemathesis.openapi.from_dict(document).get_all_operations()
        for status in try_oddly(found.ok(), live_server.url, headers, world)
    }
    assert {200, 400, 404} <= statuses  # or nothing was tried


def try_oddly(operation, url: str, headers: dict[str, str], world: World) -> list[int]:
    """The same few requests in every run, good and bad ones, half of them at rows that exist."""
    statuses: list[int] = []
    real = real_ids(operation.path, world)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(
        case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        at_a_row=booleans(),
    )
    def one(case, at_a_row):
        if at_a_row and real:
            case.path_parameters = dict(real)
        response = case.call(base_url=url, headers=headers, timeout=20)
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
        statuses.append(response.status_code)

    one()
    return statuses


def real_ids(path: str, world: World) -> dict[str, object]:
    """What the path's parameters are called in the document, and ids of rows that exist."""
    names = re.findall(r"{(\w+)}", path)
    concrete = re.sub(r"{kind}", "run", path)
    match = resolve(re.sub(r"{\w+}", "1", concrete))
    known = world.kwargs_of(match.url_name or "")
    return {name: known.get(name, known.get("pk")) for name in names}
