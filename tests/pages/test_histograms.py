"""The page of an artifact's histograms, and the pictures on it."""

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from dashboard import files
from dashboard.conversions.histograms import Shows
from dashboard.conversions.models import Artifact
from dashboard.conversions.views import LAYERS_SHOWN
from tests.factories import make_evaluation, make_histogram, make_recipe
from tests.pages.conftest import SignIn, World


@pytest.fixture
def viewer(world: World, as_user: SignIn) -> Client:
    return as_user(world.viewer)


@pytest.fixture
def artifact(world: World) -> Artifact:
    """With the weights of conv_1, as the world has it, and more."""
    mine = world.histogram.artifact
    make_histogram(mine, "conv_1", Shows.OUT)
    make_histogram(mine, "conv_2", Shows.WEIGHT)
    make_histogram(mine, "conv_2", Shows.OUT)
    return mine


def page(client: Client, artifact: Artifact, query: str = "") -> str:
    return client.get(f"/artifacts/{artifact.pk}/histograms/{query}").content.decode()


def shown(client: Client, artifact: Artifact, query: str) -> list[tuple[str, int]]:
    """The layers on the page, and how many pictures each has."""
    layers = client.get(f"/artifacts/{artifact.pk}/histograms/{query}").context["page"]
    return [(layer.name, len(layer.histograms)) for layer in layers]


@pytest.mark.parametrize(
    ("query", "layers"),
    [
        ("", [("conv_1", 2), ("conv_2", 2)]),
        ("?layer=V_2", [("conv_2", 2)]),
        ("?layer=nothing", []),
        ("?shows=weight", [("conv_1", 1), ("conv_2", 1)]),
        ("?shows=out&layer=conv_1", [("conv_1", 1)]),
        ("?shows=everything", [("conv_1", 2), ("conv_2", 2)]),
        ("?page=99", [("conv_1", 2), ("conv_2", 2)]),
    ],
)
def test_layers_are_found_by_name_and_kind(
    viewer: Client, artifact: Artifact, query: str, layers: list[tuple[str, int]]
) -> None:
    assert shown(viewer, artifact, query) == layers


def test_pictures_are_loaded_when_they_are_looked_at_and_have_their_room(
    viewer: Client, artifact: Artifact
) -> None:
    told = page(viewer, artifact)
    assert told.count('<img loading="lazy"') == told.count('width="2" height="3"') == 4


def test_many_layers_begin_closed_and_few_opened(viewer: Client, artifact: Artifact) -> None:
    for number in range(3, 5):
        make_histogram(artifact, f"conv_{number}")
    assert ("<details" in page(viewer, artifact), " open>" in page(viewer, artifact)) == (True, False)
    assert " open>" in page(viewer, artifact, "?layer=conv_4")


def test_hundreds_of_layers_are_shown_in_pages(viewer: Client, artifact: Artifact) -> None:
    for number in range(LAYERS_SHOWN):
        make_histogram(artifact, f"more_{number}")
    assert [len(shown(viewer, artifact, f"?page={number}")) for number in (1, 2)] == [LAYERS_SHOWN, 2]


def test_the_next_page_still_seeks_the_same(viewer: Client, artifact: Artifact) -> None:
    for number in range(LAYERS_SHOWN + 1):
        make_histogram(artifact, f"more_{number}")
    assert "?layer=more&amp;page=2" in page(viewer, artifact, "?layer=more")


def test_more_layers_cost_no_more_queries(
    viewer: Client, artifact: Artifact, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_histogram(artifact, f"more_{number}")
    with django_assert_num_queries(4):  # session, user, artifact, histograms
        page(viewer, artifact)


def test_a_layers_name_is_text_and_nothing_else(viewer: Client, artifact: Artifact) -> None:
    make_histogram(artifact, '<b>"x"</b>')
    assert "&lt;b&gt;&quot;x&quot;&lt;/b&gt;" in page(viewer, artifact)


def test_what_no_layer_is_called_is_said_to_be_so(viewer: Client, artifact: Artifact) -> None:
    stray = make_histogram(artifact, "stray")
    stray.layer_key = ""
    stray.save()
    assert "no layer of the dumps has this name" in page(viewer, artifact)


@pytest.mark.parametrize(
    ("said", "words"), [({}, "did not ask for"), ({"histograms": True}, "was asked for histograms and")]
)
def test_an_artifact_without_them_says_why(
    world: World, viewer: Client, said: dict[str, bool], words: str
) -> None:
    other = make_evaluation(world.evaluation.version, board=world.board).legs.all()[0].conversion
    other.recipe = make_recipe(world.project, toolkit="rknn1", **said)
    other.save()
    assert words in page(viewer, other.artifact)


@pytest.mark.parametrize("asked", [True, False])
def test_evaluation_and_run_point_there_when_the_recipe_asked(
    world: World, viewer: Client, asked: bool
) -> None:
    leg = world.evaluation.legs.all()[0]
    recipe = make_recipe(world.project, toolkit="rknn1", **({"histograms": True} if asked else {}))
    for row in (world.evaluation, leg.conversion):
        row.recipe = recipe
        row.save()
    there = f'href="/artifacts/{leg.conversion.artifact.pk}/histograms/"'
    pages = [f"/evaluations/{world.evaluation.pk}/", f"/runs/{leg.run_id}/"]
    assert [there in viewer.get(one).content.decode() for one in pages] == [asked, asked]


def picture(world: World) -> str:
    return f"/artifacts/{world.histogram.artifact_id}/histograms/{world.histogram.sha256}.png"


def test_a_picture_is_sent_as_one_and_as_nothing_else(world: World, viewer: Client) -> None:
    answer = viewer.get(picture(world))
    content = files.existing(world.histogram.sha256).read_bytes()
    assert (answer.getvalue(), answer.headers["Content-Type"]) == (content, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)


def test_a_picture_is_kept_by_the_browser_for_this_session_only(world: World, viewer: Client) -> None:
    answer = viewer.get(picture(world))
    answer.getvalue()
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert "Cookie" in answer.headers["Vary"]


def test_who_has_the_picture_is_not_sent_it_again(world: World, viewer: Client) -> None:
    answer = viewer.get(picture(world), headers={"If-None-Match": f'"{world.histogram.sha256}"'})
    assert (answer.status_code, answer.getvalue()) == (304, b"")


def test_a_stranger_who_knows_the_hash_is_not_even_told_that_it_is_there(
    world: World, as_user: SignIn
) -> None:
    known = {"If-None-Match": f'"{world.histogram.sha256}"'}
    assert as_user(world.stranger).get(picture(world), headers=known).status_code == 404


def test_a_file_of_the_same_artifact_that_is_no_histogram_is_no_picture(world: World, viewer: Client) -> None:
    artifact = world.histogram.artifact
    answer = viewer.get(f"/artifacts/{artifact.pk}/histograms/{artifact.sha256}.png")
    assert answer.status_code == 404


def test_a_picture_that_the_store_lost_is_a_404(world: World, viewer: Client) -> None:
    files.existing(world.histogram.sha256).unlink()
    assert viewer.get(picture(world)).status_code == 404


def test_no_policy_of_the_page_forbids_its_pictures(world: World, viewer: Client) -> None:
    answer = viewer.get(f"/artifacts/{world.histogram.artifact_id}/histograms/")
    assert "img-src 'self'" in answer.headers["Content-Security-Policy"]
