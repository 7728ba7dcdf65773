"""Every error of the API has the one shape, whatever is wrong with the request."""

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from tests import factories
from tests.api.conftest import caller

pytestmark = pytest.mark.django_db
JSON = "application/json"


def assert_shape(response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"], set(body)) == (status, code, {"code", "message", "detail"})


def test_an_anonymous_call_is_told_to_sign_in():
    assert_shape(APIClient().get("/api/v1/models/"), 401, "request:not-authenticated")


def test_a_bad_token_has_its_own_code():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer lw_a_b")
    assert_shape(client.get("/api/v1/models/"), 401, "request:authentication-failed")


@pytest.mark.parametrize(
    "url",
    [
        "/api/v1/nowhere/",
        "/api/v1/models/999/",
        "/api/v1/models/99999999999999999999999999/",
        "/api/v1/models",
        "/api/",
        "/api",
        "/api/v2/models/",
        "/api/v1/jobs/dance/1/",
        "/api/v1/jobs/run/7/",
        "/api/v1/models/?page=999999999999999999999999",
        "/api/v1/models/?page=nonsense",
        "/api/v1/models/?page=-1",
        "/api/v1/comparisons/1/scores.csv",
    ],
)
def test_what_is_not_there_is_a_404(api, url):
    assert_shape(api.get(url), 404, "request:not-found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"project": NaN}',
        b'{"project": Infinity}',
        b"\xff\xfe",
        b'"text"',
        b"[1, 2]",
        b"null",
        b'{"project": "one", "name": "x"}',
        b'{"project": 1.5, "name": "x"}',
        b'{"project": null, "name": "x"}',
        b'{"project": [1], "name": "x"}',
        b'{"project": true, "name": "x"}',
        b'{"project": 1, "name": ""}',
        b'{"project": 1, "name": "\\u0000"}',
        b'{"project": 1, "name": "\\ud800"}',
        b'{"project": 1, "name": {"a": 1}}',
        b'{"project": -1, "name": "x"}',
    ],
)
def test_a_body_that_makes_no_sense_is_a_400(api, body):
    response = api.generic("POST", "/api/v1/models/", body, content_type=JSON)
    assert (response.status_code, set(response.json())) == (400, {"code", "message", "detail"})


def test_a_number_beyond_every_id_is_simply_not_there(api):
    body = b'{"project": ' + b"9" * 40 + b', "name": "x"}'
    response = api.generic("POST", "/api/v1/models/", body, content_type=JSON)
    assert_shape(response, 404, "request:not-found")


def test_a_number_too_long_to_read_is_a_400(api):
    body = b'{"project": ' + b"9" * 5000 + b', "name": "x"}'
    response = api.generic("POST", "/api/v1/models/", body, content_type=JSON)
    assert_shape(response, 400, "request:parse-error")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[" * 40 + b"]" * 40, b'{"recipe":' * 50 + b"1" + b"}" * 50]
)
def test_a_body_nested_beyond_reason_is_a_400(api, body):
    response = api.generic("POST", "/api/v1/models/", body, content_type=JSON)
    assert_shape(response, 400, "request:parse-error")


def test_the_messages_of_every_field_are_in_the_detail(api):
    assert set(api.post("/api/v1/models/", {}).json()["detail"]) == {"project", "name"}


@pytest.mark.parametrize("text", ["x", "-1", "1.0", "", "1" * 30, "\u0661"])
def test_a_filter_that_is_no_number_is_a_400(api, text):
    assert_shape(api.get("/api/v1/versions/", {"model": text}), 400, "request:invalid")


def test_a_filter_with_control_characters_is_a_400(api):
    assert_shape(api.get("/api/v1/models/", {"name": "a\0b"}), 400, "request:invalid")


def test_another_method_is_a_405(api):
    assert_shape(api.delete("/api/v1/models/"), 405, "request:method-not-allowed")


def test_another_type_of_body_is_a_415(api):
    response = api.generic("POST", "/api/v1/models/", b"<a/>", content_type="text/xml")
    assert_shape(response, 415, "request:unsupported-media-type")


def test_another_type_of_answer_is_a_406(api):
    assert_shape(api.get("/api/v1/models/", headers={"accept": "text/xml"}), 406, "request:not-acceptable")


def test_a_viewers_change_is_a_403(project):
    client = caller(project, factories.make_member(project, factories.Role.VIEWER))
    response = client.post("/api/v1/models/", {"project": project.pk, "name": "x"})
    assert_shape(response, 403, "request:permission-denied")


def test_too_many_requests_are_a_429(api, monkeypatch):
    monkeypatch.setitem(UserRateThrottle.THROTTLE_RATES, "user", "1/hour")
    cache.clear()
    api.get("/api/v1/whoami/")
    assert_shape(api.get("/api/v1/whoami/"), 429, "request:throttled")


def test_a_body_larger_than_forms_may_be_is_a_413(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = b'{"name": "' + b"x" * 200 + b'"}'
    response = api.generic("POST", "/api/v1/models/", body, content_type=JSON)
    assert_shape(response, 413, "request:too-large")


def test_our_own_fault_is_a_500_of_the_same_shape(project, settings):
    client = caller(project)
    client.raise_request_exception = False
    settings.MAX_UPLOAD_BYTES = "a limit that is no number"  # an error that nobody foresees
    response = client.post("/api/v1/versions/", {"model": 1}, format="multipart")
    assert_shape(response, 500, "system:bug")


def test_a_file_that_the_store_lost_is_a_404(project):
    version = factories.make_version(factories.make_model(project))
    source = version.sources.get()
    factories.files.existing(source.sha256).unlink()
    assert_shape(caller(project).get(f"/api/v1/sources/{source.pk}/file/"), 404, "request:not-found")
