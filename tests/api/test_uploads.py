"""Uploading versions and input sets: routes, the same files again, limits, and what is refused."""

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dashboard.registry.models import InputSet, ModelVersion, Source
from tests import factories

pytestmark = pytest.mark.django_db


def file(text: str = "bytes of a model", name: str = "x.onnx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())


@pytest.fixture
def model(project):
    return factories.make_model(project)


def upload(api, model, **fields):
    return api.post("/api/v1/versions/", {"model": model.pk, **fields}, format="multipart")


def test_one_file_is_the_main_route(api, model):
    assert upload(api, model, sources=[file()]).json()["sources"][0]["route"] == "main"


def test_a_new_version_is_a_201(api, model):
    assert upload(api, model, sources=[file()]).status_code == 201


def test_the_same_file_again_is_a_200(api, model):
    upload(api, model, sources=[file()])
    assert upload(api, model, sources=[file()]).status_code == 200


def test_the_same_file_again_is_the_same_version(api, model):
    first = upload(api, model, sources=[file()]).json()["id"]
    assert upload(api, model, sources=[file()]).json()["id"] == first


def test_the_same_file_of_another_commit_is_another_version(api, model):
    upload(api, model, sources=[file()], commit="a")
    assert upload(api, model, sources=[file()], commit="b").json()["number"] == 2


def test_a_file_field_per_route_names_the_routes(api, model):
    answer = upload(api, model, **{"source.direct": file("a"), "source.traced": file("b")})
    assert [source["route"] for source in answer.json()["sources"]] == ["direct", "traced"]


def test_a_list_of_routes_names_the_files(api, model):
    answer = upload(api, model, sources=[file("a"), file("b")], routes=["direct", "traced"])
    assert [source["route"] for source in answer.json()["sources"]] == ["direct", "traced"]


def test_both_files_of_a_route_are_one_source(api, model):
    both = [file("a", "net.prototxt"), file("b", "net.caffemodel")]
    answer = upload(api, model, **{"source.main": both})
    assert [(one["route"], one["filename"]) for one in answer.json()["sources"]] == [("main", "net.zip")]


def test_a_route_that_is_named_twice_has_both_files(api, model):
    answer = upload(api, model, sources=[file("a", "n.cfg"), file("b", "n.weights")], routes=["main", "main"])
    assert [one["filename"] for one in answer.json()["sources"]] == ["n.zip"]


def test_the_format_is_not_known_before_the_inspection(api, model):
    assert upload(api, model, sources=[file()]).json()["sources"][0]["format"] is None


def test_the_answer_holds_the_files_hash(api, model):
    wanted = hashlib.sha256(b"bytes of a model").hexdigest()
    assert upload(api, model, sources=[file()]).json()["sources"][0]["sha256"] == wanted


def test_where_it_came_from_is_kept(api, model):
    fields = {"commit": "abc", "training_url": "https://example.org/run/7", "tags": ["a", "b"], "note": "n"}
    answer = upload(api, model, sources=[file()], **fields).json()
    assert {name: answer[name] for name in fields} == fields


def test_an_inspection_is_queued_for_every_source(api, model):
    answer = upload(api, model, **{"source.a": file("a"), "source.b": file("b")}).json()
    assert [source["inspection"]["state"] for source in answer["sources"]] == ["queued", "queued"]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        (dict, 400, "request:invalid"),
        (lambda: {"sources": ["no file"]}, 400, "request:invalid"),
        (lambda: {"sources": [file("a"), file("b")]}, 400, "request:invalid"),
        (lambda: {"sources": [file("a")], "routes": ["x", "y"]}, 400, "request:invalid"),
        (lambda: {"sources": [file("a"), file("b")], "routes": ["x", "x"]}, 422, "recipe:invalid"),
        (lambda: {"sources": [file("a")], "routes": ["../x"]}, 422, "recipe:invalid"),
        (lambda: {"source.a": [file("a"), file("b")]}, 422, "recipe:invalid"),
        (lambda: {"source.": file("a")}, 422, "recipe:invalid"),
        (lambda: {"source.a b": file("a")}, 422, "recipe:invalid"),
        (lambda: {f"source.{n}": file(str(n)) for n in range(9)}, 400, "request:invalid"),
        (lambda: {"sources": [file("")]}, 422, "model:empty"),
        (lambda: {"sources": [file()], "training_url": "javascript:alert(1)"}, 400, "request:invalid"),
        (lambda: {"sources": [file()], "training_url": "ftp://example.org/x"}, 400, "request:invalid"),
        (lambda: {"sources": [file()], "commit": "x" * 81}, 400, "request:invalid"),
        (lambda: {"sources": [file()], "tags": ["x"] * 21}, 400, "request:invalid"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(api, model, fields, status, code):
    answer = upload(api, model, **fields())
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_refused_form_leaves_nothing_behind(api, model):
    upload(api, model, sources=[file("a"), file("b")], routes=["x", "x"])
    assert (ModelVersion.objects.count(), Source.objects.count()) == (0, 0)


def test_a_body_that_says_it_is_too_long_is_not_read(api, model, settings):
    settings.MAX_UPLOAD_BYTES = 1000
    answer = upload(api, model, sources=[file("x" * 2_000_000)])
    assert (answer.status_code, answer.json()["code"]) == (413, "model:too-large")


def test_a_file_over_the_limit_is_refused(api, model, settings):
    settings.MAX_UPLOAD_BYTES = 10
    answer = upload(api, model, sources=[file("eleven bytes")])
    assert (answer.status_code, answer.json()["code"]) == (413, "model:too-large")


def test_a_full_disk_is_told(api, model, settings):
    settings.MIN_FREE_BYTES = 1 << 62
    answer = upload(api, model, sources=[file()])
    assert (answer.status_code, answer.json()["code"]) == (507, "system:store-full")


def test_a_file_comes_back_as_it_went_in(api, model):
    source = upload(api, model, sources=[file()]).json()["sources"][0]
    answer = api.get(f"/api/v1/sources/{source['id']}/file/")
    assert b"".join(answer.streaming_content) == b"bytes of a model"


@pytest.mark.parametrize("name", ["x.html", "a b;c.onnx", "ü\u202e.onnx", '"quoted".onnx'])
def test_a_file_is_sent_as_an_attachment_of_no_type(api, model, name):
    source = upload(api, model, sources=[file(name=name)]).json()["sources"][0]
    answer = api.get(f"/api/v1/sources/{source['id']}/file/")
    b"".join(answer.streaming_content)
    assert (answer["Content-Type"], answer["Content-Disposition"].split(";")[0]) == (
        "application/octet-stream",
        "attachment",
    )


def samples(api, project, **fields):
    body = {"project": project.pk, "purpose": "calibration", "file": file("s", "s.npz"), **fields}
    return api.post("/api/v1/input-sets/", body, format="multipart")


def test_samples_become_an_input_set(api, project):
    assert (samples(api, project).status_code, InputSet.objects.get().purpose) == (201, "calibration")


def test_the_same_samples_again_are_a_200(api, project):
    samples(api, project)
    assert samples(api, project).status_code == 200


def test_the_same_samples_for_another_purpose_are_another_set(api, project):
    samples(api, project)
    assert samples(api, project, purpose="evaluation").status_code == 201


def test_samples_without_a_name_are_called_like_their_file(api, project):
    assert samples(api, project).json()["name"] == "s.npz"


@pytest.mark.parametrize(
    "fields", [{"purpose": "fun"}, {"layout": "CHWN"}, {"file": "text"}, {"name": "x" * 121}]
)
def test_a_bad_form_of_samples_is_refused(api, project, fields):
    assert samples(api, project, **fields).status_code == 400


def test_empty_samples_have_their_own_code(api, project):
    assert samples(api, project, file=file("", "s.npz")).json()["code"] == "data:empty"
