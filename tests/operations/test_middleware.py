"""Bodies that nobody needs to read are refused before anybody does."""

import pytest
from django.test import Client

MULTIPART = "multipart/form-data; boundary=x"


def post(path: str, length: int, kind: str = MULTIPART):
    client = Client(headers={"cookie": "csrftoken=" + "a" * 32})
    return client.generic("POST", path, b"x", content_type=kind, CONTENT_LENGTH=str(length))


@pytest.mark.parametrize("path", ["/sign-in/", "/", "/metrics"])
def test_a_stranger_cannot_make_the_site_store_a_large_body(db, path):
    assert post(path, 10**10).status_code == 413


def test_the_api_refuses_a_large_body_in_its_own_shape(db):
    answer = post("/api/v1/models/", 10**10, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "request:too-large")


@pytest.mark.parametrize("path", ["/api/v1/versions/", "/api/v1/input-sets/"])
def test_a_stranger_is_asked_who_he_is_before_a_large_upload_is_read(db, path):
    assert post(path, 10**10).status_code == 401


def test_a_length_that_is_no_number_is_refused(db):
    client = Client()
    assert client.generic("POST", "/api/v1/models/", b"x", CONTENT_LENGTH="-1").status_code == 413
