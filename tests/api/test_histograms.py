"""Histograms of an artifact by API: the list, and each file."""

import pytest

from dashboard import files
from dashboard.conversions.histograms import Shows
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn(project):
    """Two histograms of one artifact."""
    version = factories.make_version(factories.make_model(project))
    artifact = factories.make_artifact(factories.make_conversion(version))
    return [factories.make_histogram(artifact, "conv_1", shows) for shows in (Shows.WEIGHT, Shows.OUT)]


def listed(api, histogram, **query):
    return api.get(f"/api/v1/artifacts/{histogram.artifact_id}/histograms/", query).json()


def test_a_histogram_tells_its_layer_what_it_shows_and_where_it_is(api, drawn):
    first = drawn[0]
    assert listed(api, first)["results"][0] == {
        "position": 0,
        "layer_key": "conv_1",
        "layer_name": "conv_1",
        "shows": "weight",
        "port": 0,
        "width": 2,
        "height": 3,
        "sha256": first.sha256,
        "size": first.size,
        "url": f"/api/v1/artifacts/{first.artifact_id}/histograms/0/file/",
    }


def test_the_list_comes_in_pages(api, drawn):
    answer = listed(api, drawn[0], page_size=1, page=2)
    assert (answer["count"], [row["shows"] for row in answer["results"]]) == (2, ["out"])


def test_the_file_is_fetched_by_its_url(api, drawn):
    answer = api.get(listed(api, drawn[0])["results"][1]["url"])
    content = files.existing(drawn[1].sha256).read_bytes()
    assert (answer.getvalue(), answer.headers["Content-Type"]) == (content, "application/octet-stream")


def test_a_histogram_that_there_is_not_is_a_404(api, drawn):
    answer = api.get(f"/api/v1/artifacts/{drawn[0].artifact_id}/histograms/2/file/")
    assert (answer.status_code, answer.json()["code"]) == (404, "request:not-found")


def test_an_artifact_without_histograms_has_an_empty_list(api, project):
    version = factories.make_version(factories.make_model(project))
    artifact = factories.make_artifact(factories.make_conversion(version))
    assert api.get(f"/api/v1/artifacts/{artifact.pk}/histograms/").json()["results"] == []
