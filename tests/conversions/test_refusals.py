"""What nobody can convert now is refused when it is asked for, on the page and by the API; what is offered is shown."""

from typing import Any

import pytest
from django.test import Client

from dashboard.conversions.models import Conversion
from dashboard.conversions.offered import Offered
from dashboard.evaluations.models import Evaluation
from dashboard.jobs.models import Heartbeat, State
from tests.api.conftest import caller
from tests.factories import (
    make_artifact,
    make_conversion,
    make_converter,
    make_input_set,
    make_model,
    make_project,
    make_version,
    offer_of,
    owner_of,
)

pytestmark = pytest.mark.django_db
URL = "/api/v1/evaluations/"
RKNN2 = {"toolkit": "rknn2", "platform": "rk3588", "dtype": "w8a8"}


@pytest.fixture
def version() -> Any:
    return make_version(make_model(make_project()))


def _body(version: Any, **recipe: Any) -> dict[str, Any]:
    sets = {name: make_input_set(version.project).pk for name in ("calibration", "samples")}
    return {"version": version.pk, "recipe": recipe, **sets}


def _post(version: Any, **recipe: Any) -> Any:
    return caller(version.project).post(URL, _body(version, **recipe))


def _page(version: Any, **changes: Any) -> Any:
    """Post the form as the page fills it."""
    client = Client()
    client.force_login(owner_of(version.project))
    sets = {name: make_input_set(version.project, name).pk for name in ("calibration", "evaluation")}
    fields = {
        "toolkit": "reference", "platform": "rv1126", "dtype": "u8", "algorithm": "normal", "optimization_level": 3,
        "calibration": sets["calibration"], "samples": sets["evaluation"], "sample": 0, "iterations": 20,
        "mean_0": "0", "std_0": "1", **changes,
    }  # fmt: skip
    return client.post(f"/versions/{version.pk}/evaluations/new/", fields)


def _form(version: Any) -> Any:
    client = Client()
    client.force_login(owner_of(version.project))
    return client.get(f"/versions/{version.pk}/evaluations/new/").context["form"]


def _shown(version: Any, field: str) -> list[str]:
    return [value for value, _ in _form(version).fields[field].widget.choices]


def test_without_a_worker_the_api_refuses_at_once(version: Any) -> None:
    answer = _post(version)
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:no-toolkit")


def test_without_a_worker_nothing_is_left_behind(version: Any) -> None:
    _post(version)
    assert (Evaluation.objects.count(), Conversion.objects.count()) == (0, 0)


@pytest.mark.usefixtures("converter")
def test_the_api_says_which_toolkit_is_missing_and_how_to_add_it(version: Any) -> None:
    told = _post(version, **RKNN2).json()
    assert "the toolkit rknn2" in told["detail"] and "make toolkit-rknn2" in told["detail"]


@pytest.mark.usefixtures("converter")
def test_the_page_says_it_with_title_and_advice(version: Any) -> None:
    answer = _page(version, **RKNN2)
    text = answer.content.decode()
    told = ["No worker here has the toolkit", "make toolkit-rknn2", "/api/v1/toolkits/"]
    assert (answer.status_code, [words in text for words in told]) == (422, [True] * 3)


def test_a_version_that_nobody_has_is_refused_by_the_api(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.5.0"))
    assert "rknn2 2.3.2, only 2.5.0" in _post(version, **RKNN2, toolkit_version="2.3.2").json()["detail"]


def test_a_version_that_nobody_has_is_refused_by_the_page(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.5.0"))
    answer = _page(version, **RKNN2, toolkit_version="2.3.2")
    assert (answer.status_code, "rknn2 2.3.2, only 2.5.0" in answer.content.decode()) == (422, True)


@pytest.mark.parametrize(
    ("fewer", "words"),
    [({"dtypes": {"rv1126b": ["w8a8"]}}, "platform rk3588"), ({"algorithms": ["mmse"]}, "algorithm normal")],
)
def test_what_the_version_here_cannot_do_is_refused(version: Any, fewer: Any, words: str) -> None:
    make_converter(offer_of("rknn2", "2.3.2", **fewer))
    assert words in _post(version, **RKNN2).json()["detail"]


def test_a_version_that_somebody_has_is_taken(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.5.0"), offer_of("rknn2", "2.3.2"))
    assert _post(version, **RKNN2, toolkit_version="2.3.2").json()["recipe"]["toolkit_version"] == "2.3.2"


def test_a_conversion_of_a_version_goes_to_the_queue_of_that_version(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.5.0"), offer_of("rknn2", "2.3.2"))
    _post(version, **RKNN2, toolkit_version="2.3.2")
    assert Conversion.objects.get().queue == "convert.rknn2@2.3.2"


def test_what_has_been_converted_before_needs_no_worker(version: Any) -> None:
    conversion = make_artifact(make_conversion(version)).conversion
    body = {"version": version.pk, "calibration": conversion.calibration_id, "samples": conversion.samples_id}
    assert caller(version.project).post(URL, body).status_code == 201


@pytest.mark.usefixtures("converter")
def test_what_was_asked_before_is_found_again_when_the_worker_has_gone(version: Any) -> None:
    body, key = _body(version), {"idempotency-key": "k1"}
    first = caller(version.project).post(URL, body, headers=key)
    Heartbeat.objects.all().delete()
    again = caller(version.project).post(URL, body, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


@pytest.mark.usefixtures("converter")
def test_what_is_queued_when_the_last_worker_goes_waits(version: Any) -> None:
    _post(version)
    Heartbeat.objects.all().delete()
    assert Conversion.objects.get().state == State.QUEUED


def test_the_form_offers_only_what_a_living_worker_can_do(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.3.2", dtypes={"rk3588": ["w8a8"]}, algorithms=["mmse"]))
    fields = ("toolkit", "toolkit_version", "platform", "dtype", "algorithm")
    assert [_shown(version, field) for field in fields] == [
        ["rknn2"],
        ["", "2.3.2"],
        ["rk3588"],
        ["w8a8"],
        ["mmse"],
    ]


def test_the_form_knows_what_each_version_can_do(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.3.2", dtypes={"rk3588": ["w8a8"]}), name="old:1")
    make_converter(
        offer_of("rknn2", "2.5.0", dtypes={"rv1126b": ["w4a16"], "rk3588": ["float"]}), name="new:1"
    )
    dtypes = {word: found["dtypes"] for word, found in _form(version).offers["rknn2"].items()}
    assert {word: sorted(found) for word, found in dtypes.items()} == {
        "": ["rk3588", "rv1126b"],
        "2.3.2": ["rk3588"],
        "2.5.0": ["rk3588", "rv1126b"],
    }


def test_without_a_worker_the_form_shows_what_is_legal(version: Any) -> None:
    assert "rk3588" in _shown(version, "platform")


def test_the_api_tells_what_is_offered_by_whom(version: Any) -> None:
    beat = make_converter(offer_of("rknn2", "2.3.2", dtypes={"rk3588": ["w8a8"]}), name="lab:7")
    [row] = caller(version.project).get("/api/v1/toolkits/").json()["results"]
    assert row == {
        "toolkit": "rknn2", "version": "2.3.2", "title": "rknn2 2.3.2", "worker": "lab:7",
        "since": beat.since.isoformat().replace("+00:00", "Z"), "seen_at": beat.at.isoformat().replace("+00:00", "Z"),
        "dtypes": {"rk3588": ["w8a8"]}, "algorithms": {"w8a8": ["normal", "mmse", "kl_divergence"]},
        "formats": ["onnx", "torchscript", "caffe", "darknet", "tflite", "tensorflow"],
    }  # fmt: skip


def test_the_page_of_toolkits_shows_each_worker_and_what_nobody_has(version: Any) -> None:
    make_converter(name="lab:7")
    client = Client()
    client.force_login(owner_of(version.project))
    page = client.get("/toolkits/").content.decode()
    assert all(words in page for words in ("lab:7", "1.32.0", "u8", "make toolkit-rknn2"))


def test_the_page_of_toolkits_asks_the_database_as_often_for_ten_workers_as_for_one(
    version: Any, django_assert_num_queries: Any
) -> None:
    client = Client()
    client.force_login(owner_of(version.project))
    for number in range(10):
        make_converter(name=f"lab:{number}")
    with django_assert_num_queries(3):  # session, user, signs of life
        client.get("/toolkits/")


FULL = offer_of("rknn2", "2.5.0")
PLAIN = offer_of("rknn2", "2.5.0", formats=["onnx", "torchscript"])


@pytest.fixture
def lite() -> Any:
    """A version of two routes, the second of which needs TensorFlow at the worker."""
    formats = {"a": "onnx", "b": "tflite"}
    return make_version(make_model(make_project()), routes=tuple(formats), formats=formats)


@pytest.fixture
def only_lite() -> Any:
    return make_version(make_model(make_project()), routes=("b",), formats={"b": "tflite"})


def test_a_format_that_no_worker_can_load_is_refused_with_what_to_add(only_lite: Any) -> None:
    make_converter(PLAIN)
    told = _post(only_lite, **RKNN2).json()
    assert told["code"] == "recipe:no-toolkit"
    assert "source format tflite" in told["detail"] and "WITH=tensorflow" in told["detail"]


def test_a_format_that_some_worker_can_load_goes_to_a_queue_of_its_own(only_lite: Any) -> None:
    """Workers with the same version of the toolkit may differ in what is installed beside it."""
    make_converter(PLAIN, name="plain:1")
    worker = make_converter(FULL, name="full:1")
    _post(only_lite, **RKNN2, toolkit_version="2.5.0")
    queue = Conversion.objects.get().queue
    assert (queue, queue in worker.queues) == ("convert.rknn2.tflite@2.5.0", True)


def test_of_several_routes_those_that_somebody_can_load_are_evaluated(lite: Any) -> None:
    make_converter(PLAIN)
    _post(lite, **RKNN2)
    legs = {leg.source.route: leg for leg in Evaluation.objects.get().legs.all()}
    assert [leg.has_ended for leg in legs.values()] == [False, True]
    assert (legs["b"].reasons[0]["code"], "WITH=tensorflow" in legs["b"].sentence) == (
        "recipe:no-toolkit",
        True,
    )


def test_what_was_converted_before_needs_nobody_who_can_load_it(lite: Any) -> None:
    make_converter(FULL)
    body = _body(lite, **RKNN2)
    caller(lite.project).post(URL, body)
    for conversion in Conversion.objects.all():
        make_artifact(conversion)
    Heartbeat.objects.all().delete()
    make_converter(PLAIN)
    caller(lite.project).post(URL, body)
    assert [leg.has_ended for leg in Evaluation.objects.order_by("-pk")[0].legs.all()] == [False, False]


def test_a_ready_file_beside_it_does_not_count_as_a_file_that_was_never_converted() -> None:
    formats = {"a": "tflite", "b": "rknn"}
    version = make_version(make_model(make_project()), routes=tuple(formats), formats=formats)
    make_converter(FULL)
    body = _body(version, **RKNN2)
    caller(version.project).post(URL, body)
    make_artifact(Conversion.objects.get())
    Heartbeat.objects.all().delete()
    assert caller(version.project).post(URL, body).status_code == 201


def test_the_form_offers_the_toolkits_that_can_load_the_files(only_lite: Any) -> None:
    make_converter(offer_of(), PLAIN, name="plain:1")
    make_converter(FULL, name="full:1")
    assert _shown(only_lite, "toolkit") == ["rknn2"]


def test_a_worker_of_an_earlier_release_takes_what_needs_no_more_than_the_toolkit() -> None:
    told = FULL.as_dict()
    del told["formats"]
    assert Offered.from_dict(told).offer.formats == ("onnx", "torchscript", "caffe", "darknet")


def test_an_algorithm_that_a_worker_does_not_have_for_the_data_type_is_refused(version: Any) -> None:
    fewer = {"w4a16": ["normal"], "w8a8": ["normal", "mmse"]}
    make_converter(offer_of("rknn2", "2.3.2", algorithms=fewer))
    told = _post(version, toolkit="rknn2", platform="rk3576", dtype="w4a16", algorithm="mmse").json()
    assert "algorithm mmse: rknn2 2.3.2 takes normal." in told["detail"]


def test_the_form_knows_the_algorithms_of_each_data_type(version: Any) -> None:
    make_converter(offer_of("rknn2", "2.5.0", dtypes={"rk3576": ["w8a8", "w4a16"]}))
    found = _form(version).offers["rknn2"][""]["algorithms"]
    assert ["gdq" in found[dtype] for dtype in ("w8a8", "w4a16")] == [False, True]


def test_one_list_of_an_earlier_release_is_of_every_data_type() -> None:
    told = {**FULL.as_dict(), "algorithms": ["normal", "gdq"]}
    algorithms = Offered.from_dict(told).offer.algorithms
    assert (algorithms["w8a8"], algorithms["w4a16"]) == (("normal",), ("normal", "gdq"))
