"""Pages and API of lint: sums, findings by layer, an old inspection told as such, a known number of queries."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.jobs.models import State
from dashboard.lint.models import SourceGraph
from dashboard.registry.models import ModelVersion
from tests.factories import make_member, make_version, owner_of
from tests.lint.nets import RV1126B, one, pixel_shuffle
from tests.lint.rows import converted, first_source, version_with
from tests.lint.test_description import long_net

pytestmark = pytest.mark.django_db
FOR_RV1126B = "?toolkit=rknn2&platform=rv1126b&dtype=w8a8"
FOR_RV1126 = "?toolkit=rknn1&platform=rv1126&dtype=u8"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(version: ModelVersion, address: str) -> str:
    answer = signed_in(owner_of(version.project)).get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def lint_page(version: ModelVersion, query: str = FOR_RV1126) -> str:
    return page(version, f"/sources/{first_source(version).pk}/lint/{query}")


def told(version: ModelVersion, query: str = FOR_RV1126) -> dict[str, Any]:
    answer = signed_in(owner_of(version.project)).get(
        f"/api/v1/sources/{first_source(version).pk}/lint/{query}"
    )
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_the_page_names_layer_finding_advice_and_source() -> None:
    text = lint_page(version_with(pixel_shuffle()))
    words = ("moved", "its pictures were wrong", "ONNX with DepthToSpace", "Toybrick forum, thread 4711")
    assert [word for word in words if word not in text] == []


def test_the_page_shows_the_other_routes_sums() -> None:
    text = lint_page(version_with(pixel_shuffle(), "direct", "traced"))
    assert "Other routes of this version" in text
    assert "traced" in text


def test_the_page_shows_what_the_last_build_did() -> None:
    version = version_with(pixel_shuffle())
    rewrites = [{"rule": "replace_transpose_by_deconv", "removed": ["moved"], "added": ["d"]}]
    converted(version, RV1126B, {"rewrites": rewrites, "layers": []})
    text = lint_page(version, FOR_RV1126B)
    assert "What the last build here did" in text
    assert "<code>replace_transpose_by_deconv</code>" in text


def test_equal_findings_of_many_layers_are_one_row() -> None:
    text = lint_page(version_with(long_net(300, "Ceil")))
    assert text.count("other-route-only") == 1
    assert "and 276 more" in text


def test_a_target_that_does_not_fit_together_is_mended() -> None:
    text = lint_page(version_with(one("Relu")), "?toolkit=rknn2&platform=rv1126&dtype=u8")
    assert "<option selected>rv1126b</option>" in text


def test_words_that_nobody_knows_are_no_error_of_the_page() -> None:
    assert "Before converting" in lint_page(version_with(one("Relu")), "?toolkit=%00&platform=<x>&dtype=")


def test_the_versions_page_sums_up_each_route() -> None:
    version = version_with(pixel_shuffle(), "direct", "traced")
    text = page(version, f"/versions/{version.pk}/")
    assert text.count("rknn1 rv1126 u8") == 2
    assert "1 warning" in text


def test_the_form_asks_for_the_sums_of_what_it_is_set_to() -> None:
    version = version_with(pixel_shuffle())
    text = page(version, f"/versions/{version.pk}/evaluations/new/")
    assert f'hx-get="/versions/{version.pk}/lint/"' in text


def test_the_sums_beside_the_form_follow_the_target() -> None:
    version = version_with(pixel_shuffle())
    assert "1 warning" in page(version, f"/versions/{version.pk}/lint/{FOR_RV1126}")
    assert "1 note" in page(version, f"/versions/{version.pk}/lint/{FOR_RV1126B}")


def test_nothing_is_summed_up_beside_the_form_for_what_converts_nothing() -> None:
    version = version_with(pixel_shuffle())
    assert page(version, f"/versions/{version.pk}/lint/?toolkit=ready&platform=rv1126") == ""


def test_a_file_inspected_long_ago_is_offered_another_inspection() -> None:
    text = lint_page(make_version())
    assert "inspected before Layerwise kept its layers" in text
    assert "Inspect again" in text


def test_a_viewer_is_not_offered_what_is_not_allowed() -> None:
    version = make_version()
    viewer = make_member(version.project, role="viewer")
    answer = signed_in(viewer).get(f"/sources/{first_source(version).pk}/lint/")
    assert "Inspect again" not in answer.content.decode()


def test_inspecting_again_queues_one_inspection() -> None:
    version = make_version()
    source, client = first_source(version), signed_in(owner_of(version.project))
    for _ in range(2):
        client.post(f"/sources/{source.pk}/inspect-again/")
    assert first_source(version).inspection.state == State.QUEUED


def test_while_it_is_inspected_the_page_says_so() -> None:
    assert "being inspected" in lint_page(make_version(inspected=False))


def test_the_page_asks_the_database_as_often_for_many_layers_and_routes() -> None:
    small = version_with(one("Ceil"))
    large = version_with(long_net(400, "Ceil"), "a", "b", "c")
    counts = []
    for version in (small, large):
        with CaptureQueriesContext(connection) as seen:
            lint_page(version)
        counts.append(len(seen) - _of_signing_in(version))
    assert counts[0] == counts[1]


def test_the_number_of_queries_is_known() -> None:
    version = version_with(one("Ceil"))
    client, address = signed_in(owner_of(version.project)), f"/sources/{first_source(version).pk}/lint/"
    with CaptureQueriesContext(connection) as seen:
        client.get(address)
    assert len(seen) == 8


def _of_signing_in(version: ModelVersion) -> int:
    """Queries of finding the owner and signing in."""
    with CaptureQueriesContext(connection) as seen:
        signed_in(owner_of(version.project))
        first_source(version)
    return len(seen)


def test_the_api_tells_findings_with_their_sources() -> None:
    found = told(version_with(pixel_shuffle()))
    (finding,) = [one for one in found["findings"] if one["code"] == "pixel-shuffle"]
    assert finding["layer"] == "moved"
    assert finding["references"][0]["kind"] == "field"


def test_the_api_counts_by_severity() -> None:
    assert told(version_with(pixel_shuffle()))["counts"] == {"error": 0, "warning": 1, "note": 0}


def test_the_api_leaves_out_what_is_too_much_and_says_so() -> None:
    found = told(version_with(long_net(2500, "Ceil")))
    assert (len(found["findings"]), found["left_out"], found["counts"]["error"]) == (2000, 500, 2500)


def test_the_api_says_why_it_knows_no_layers() -> None:
    found = told(make_version())
    assert found["layers"] is None
    assert "inspect it again" in found["why"]


@pytest.mark.parametrize("query", ["?toolkit=none", "?toolkit=rknn2&platform=rv1126", "?dtype=u4"])
def test_the_api_refuses_a_target_that_it_does_not_know(query: str) -> None:
    version = version_with(one("Relu"))
    answer = signed_in(owner_of(version.project)).get(
        f"/api/v1/sources/{first_source(version).pk}/lint/{query}"
    )
    assert answer.status_code == 400
    assert "must be one of" in str(answer.json()["detail"])


def test_deleting_a_source_takes_its_graph_along() -> None:
    version = version_with(one("Relu"))
    version.sources.all().delete()
    assert not SourceGraph.objects.exists()
