"""No page asks the database more often because it shows more: one row and twenty cost the same."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import DjangoAssertNumQueries

from dashboard.boards.models import Run
from dashboard.evaluations.models import Evaluation
from dashboard.layers.models import LayerScore
from tests.factories import (
    make_board,
    make_conversion,
    make_evaluation,
    make_input_set,
    make_member,
    make_model,
    make_run,
    make_token_row,
    make_version,
)
from tests.pages.conftest import SignIn, World

More = Callable[[World], object]


def _more_layers(world: World) -> None:
    """Many more layers in every comparison of the evaluation."""
    for leg in world.evaluation.legs.all():
        for comparison in (leg.quantization, leg.on_board):
            LayerScore.objects.bulk_create(
                LayerScore(
                    comparison=comparison,
                    position=position,
                    reference_key=f"more_{position}",
                    candidate_key=f"more_{position}",
                    name=f"more_{position}",
                    cosine=0.99,
                )
                for position in range(10, 30)
            )


def _more_versions(world: World) -> None:
    for _ in range(5):
        make_evaluation(make_version(world.evaluation.version.model), board=world.board)


PAGES: list[tuple[str, More]] = [
    ("/", lambda w: [make_model(w.project) for _ in range(19)]),
    ("/projects/vision/", lambda w: [_another_model(w) for _ in range(5)]),
    ("/projects/vision/", lambda w: [(make_input_set(w.project), make_board(w.project)) for _ in range(19)]),
    ("/projects/vision/input-sets/", lambda w: [make_input_set(w.project) for _ in range(19)]),
    ("/projects/vision/members/", lambda w: [make_member(w.project) for _ in range(19)]),
    ("/projects/vision/tokens/", lambda w: [make_token_row(w.project) for _ in range(20)]),
    ("/models/{model}/", _more_versions),
    ("/models/{model}/history/", _more_versions),
    ("/versions/{version}/", lambda w: [make_evaluation(w.evaluation.version, board=w.board) for _ in range(5)]),
    ("/evaluations/{evaluation}/", _more_layers),
    ("/comparisons/{comparison}/", _more_layers),
    ("/runs/{run}/", _more_layers),
    ("/runs/{run}/", lambda w: [_another_run(w) for _ in range(19)]),
    ("/compare/?a={run}&b={run}", _more_layers),
    ("/compare/", lambda w: [_another_run(w) for _ in range(19)]),
    ("/boards/", lambda w: [make_board(w.project) for _ in range(19)]),
    ("/boards/{board}/", lambda w: [_another_run(w) for _ in range(19)]),
    ("/jobs/", lambda w: [make_conversion(w.evaluation.version) for _ in range(20)]),
]  # fmt: skip


def _another_model(world: World) -> Evaluation:
    return make_evaluation(make_version(make_model(world.project)), board=world.board)


def _another_run(world: World) -> Run:
    return make_run(world.evaluation.legs.all()[0].run.artifact, world.board)


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


@pytest.mark.parametrize(("pattern", "more"), PAGES)
def test_more_rows_cost_no_more_queries(world: World, as_user: SignIn, pattern: str, more: More) -> None:
    version, leg = world.evaluation.version, world.evaluation.legs.all()[0]
    address = pattern.format(
        model=version.model_id,
        version=version.pk,
        evaluation=world.evaluation.pk,
        comparison=leg.on_board_id,
        run=leg.run_id,
        board=world.board.pk,
    )
    client = as_user(world.admin)
    before = _queries(client, address)
    more(world)
    assert _queries(client, address) == before


def test_more_jobs_under_way_cost_no_more_queries(world: World, as_user: SignIn) -> None:
    client = as_user(world.viewer)
    one = make_evaluation(
        make_version(world.evaluation.version.model, ("a", "b")), ended=False, board=world.board
    )
    many = make_evaluation(
        make_version(world.evaluation.version.model, ("a", "b", "c", "d")), ended=False, board=world.board
    )
    assert _queries(client, f"/evaluations/{one.pk}/") == _queries(client, f"/evaluations/{many.pk}/")


PINNED = [
    ("/", 3),
    ("/projects/vision/", 12),
    ("/evaluations/{evaluation}/", 6),
    ("/jobs/", 6),
]


@pytest.mark.parametrize(("pattern", "count"), PINNED)
def test_the_number_of_queries_is_known(
    world: World, as_user: SignIn, django_assert_num_queries: DjangoAssertNumQueries, pattern: str, count: int
) -> None:
    client = as_user(world.viewer)
    address = pattern.format(evaluation=world.evaluation.pk)
    with django_assert_num_queries(count):
        client.get(address)
