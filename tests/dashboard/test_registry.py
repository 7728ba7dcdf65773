"""Models, versions and input sets: what is the same, what is new, what is refused."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from dashboard import files
from dashboard.jobs.models import State
from dashboard.registry.models import (
    InputSet,
    Inspection,
    Layout,
    ModelVersion,
    Purpose,
    RegisteredModel,
    reported,
)
from dashboard.registry.services import (
    Origin,
    Refused,
    Upload,
    clean_filename,
    register_model,
    upload_input_set,
    upload_version,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    return factories.make_model()


def uploads(**routes: str) -> list[Upload]:
    return [Upload(f"{route}.onnx", io.BytesIO(text.encode()), route) for route, text in routes.items()]


def upload(model: RegisteredModel, origin: Origin | None = None, **routes: str) -> tuple[ModelVersion, bool]:
    return upload_version(model, uploads(**routes), factories.owner_of(model.project), origin)


def test_a_model_of_a_known_name_is_the_same_model(model):
    assert register_model(model.project, model.name, None) == model


def test_a_model_of_this_name_in_another_project_is_another(model):
    assert register_model(factories.make_project(), model.name, None) != model


def test_versions_are_numbered_in_their_model(model):
    assert [upload(model, main=text)[0].number for text in ("a", "b", "c")] == [1, 2, 3]


def test_the_same_files_again_are_the_same_version(model):
    first, _ = upload(model, direct="a", traced="b")
    assert upload(model, traced="b", direct="a") == (first, False)


@pytest.mark.parametrize(
    "routes", [{"direct": "a"}, {"direct": "b", "traced": "a"}, {"direct": "a", "traced": "b", "more": "c"}]
)
def test_other_files_or_routes_are_a_new_version(model, routes):
    upload(model, direct="a", traced="b")
    assert upload(model, **routes)[1]


def test_the_same_files_of_another_commit_are_a_new_version(model):
    upload(model, Origin(commit="a"), main="x")
    assert upload(model, Origin(commit="b"), main="x")[1]


def test_every_source_waits_for_its_inspection(model):
    version, _ = upload(model, direct="a", traced="b")
    assert {source.inspection.state for source in version.sources.all()} == {State.QUEUED}


def test_a_known_version_is_not_inspected_again(model):
    upload(model, main="a")
    upload(model, main="a")
    assert Inspection.objects.count() == 1


def test_a_known_version_whose_inspection_failed_is_inspected_again(model):
    version, _ = upload(model, main="a")
    factories.fail(version.sources.get().inspection, "system:lost")
    upload(model, main="a")
    assert Inspection.objects.get().state == State.QUEUED


@pytest.mark.parametrize("route", ["", " ", "a b", "../x", "-x", "x" * 41, "ü", "a\n"])
def test_a_route_that_is_no_word_is_refused(model, route):
    with pytest.raises(Refused):
        upload_version(model, [Upload("x", io.BytesIO(b"x"), route)], None)


def pair(*names: str, route: str = "main") -> list[Upload]:
    return [Upload(name, io.BytesIO(name.encode() * 9), route) for name in names]


def test_two_files_of_one_route_are_one_source(model):
    version, _ = upload_version(model, pair("net.prototxt", "net.caffemodel"), None)
    source = version.sources.get()
    with zipfile.ZipFile(files.existing(source.sha256)) as archive:
        assert (source.filename, archive.namelist()) == ("net.zip", ["net.caffemodel", "net.prototxt"])


def test_the_same_two_files_in_another_order_are_the_same_version(model):
    first, _ = upload_version(model, pair("net.cfg", "net.weights"), None)
    assert upload_version(model, pair("net.weights", "net.cfg"), None) == (first, False)


def test_a_name_with_folders_stays_a_plain_name_in_the_zip(model):
    version, _ = upload_version(model, pair("../../a.cfg", "/etc/a.weights"), None)
    with zipfile.ZipFile(files.existing(version.sources.get().sha256)) as archive:
        assert archive.namelist() == ["a.cfg", "a.weights"]


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "a"), ("x/a", "y/a")])
def test_three_files_of_one_route_or_two_of_one_name_are_refused(model, names):
    with pytest.raises(Refused):
        upload_version(model, pair(*names), None)


def test_two_files_that_are_too_large_together_are_refused(model, settings):
    settings.MAX_UPLOAD_BYTES = 100
    with pytest.raises(Refused) as refused:
        upload_version(model, pair("netnet.cfg", "netnet.weights"), None)
    assert refused.value.code == "model:too-large"


def test_a_version_without_files_is_refused(model):
    with pytest.raises(Refused):
        upload_version(model, [], None)


def test_nothing_is_reported_before_the_inspection_has_ended(model):
    assert reported(upload(model, main="a")[0].sources.get()) == {}


def test_nothing_is_reported_by_an_inspection_that_failed(model):
    source = upload(model, main="a")[0].sources.get()
    factories.fail(source.inspection, "model:not-onnx")
    assert reported(source) == {}


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("x.onnx", "x.onnx"),
        ("../../etc/passwd", "passwd"),
        ("C:\\models\\x.onnx", "x.onnx"),
        ("", "unnamed"),
        ("/", "unnamed"),
        ("a\0b\n.onnx", "ab.onnx"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_name_from_outside_is_for_showing_only(name, clean):
    assert clean_filename(name) == clean


def samples(project, purpose=Purpose.CALIBRATION, layout=Layout.AS_IS) -> tuple[InputSet, bool]:
    return upload_input_set(project, "", Upload("s.npz", io.BytesIO(b"s")), purpose, None, layout)


def test_the_same_samples_are_the_same_set():
    project = factories.make_project()
    assert samples(project)[0] == samples(project)[0]


def test_known_samples_whose_inspection_was_cancelled_are_inspected_again():
    project = factories.make_project()
    samples(project)[0].inspection.cancel()
    samples(project)
    assert Inspection.objects.get().state == State.QUEUED


@pytest.mark.parametrize("other", [{"purpose": Purpose.EVALUATION}, {"layout": Layout.NHWC}])
def test_the_same_samples_for_another_use_are_another_set(other):
    project = factories.make_project()
    samples(project)
    assert samples(project, **other)[1]


@pytest.mark.django_db(transaction=True)
def test_two_uploads_at_once_are_one_version():
    model = factories.make_model()

    def one(_: int) -> int:
        try:
            return upload(model, main="same")[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1


@pytest.mark.django_db(transaction=True)
def test_two_jobs_that_begin_at_once_register_one_model():
    project = factories.make_project()

    def one(_: int) -> int:
        try:
            return register_model(project, "net", None).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1
