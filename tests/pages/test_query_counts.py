"""No page asks the database more often because it shows more: one row and twenty cost the same."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import DjangoAssertNumQueries

from dashboard.boards.models import Board, Run
from dashboard.evaluations.models import Evaluation
from dashboard.health import incidents
from dashboard.health.golden import name_golden_model
from dashboard.health.models import IncidentKind, Outcome, PowerCycle
from dashboard.layers.models import LayerScore
from tests.factories import (
    make_board,
    make_conversion,
    make_evaluation,
    make_input_set,
    make_member,
    make_model,
    make_probe,
    make_registration,
    make_run,
    make_token_row,
    make_version,
)
from tests.health.rows import make_check, make_twin
from tests.imports.rows import make_import
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
    ("/projects/vision/imports/", lambda w: [make_import(w.project) for _ in range(9)]),
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
    ("/projects/vision/boards/new/", lambda w: [make_registration(w.project) for _ in range(19)]),
    ("/boards/{board}/access/", lambda w: [make_probe(w.board) for _ in range(5)]),
    ("/jobs/", lambda w: [make_probe(w.board) for _ in range(19)]),
    ("/jobs/", lambda w: [make_conversion(w.evaluation.version) for _ in range(20)]),
]  # fmt: skip


def _more_health(world: World) -> None:
    run = _run(world)
    for number in range(8):
        make_check(run, world.board, Outcome.PASSED, median_us=1000.0 + number)
        incidents.note(world.board, IncidentKind.HANG, detail=f"{number} of 20", run=run)


def _more_restarts(world: World) -> None:
    PowerCycle.objects.bulk_create(
        PowerCycle(project=world.project, board=world.board, site="local", state="succeeded")
        for _ in range(9)
    )


def _more_golden_models(world: World) -> None:
    for number in range(8):
        Board.objects.filter(pk=world.board.pk).update(runtime_version=f"1.7.{number}")
        name_golden_model(_run(world), world.admin, f"1.7.{number}")


def _more_twins(world: World) -> None:
    for _ in range(5):
        make_twin(_run(world), world.board, make_board(world.project))


def _run(world: World) -> Run:
    run = world.evaluation.legs.all()[0].run
    assert run is not None
    return run


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


HEALTH: list[tuple[str, More]] = [
    ("/boards/{board}/", _more_health),
    ("/boards/{board}/health/", _more_health),
    ("/boards/{board}/incidents/", _more_health),
    ("/boards/{board}/power/", _more_restarts),
    ("/projects/vision/golden-models/", _more_golden_models),
    ("/projects/vision/twin-checks/", _more_twins),
    ("/projects/vision/twin-checks/new/", _more_twins),
]


@pytest.mark.parametrize(("pattern", "more"), HEALTH)
def test_more_history_of_boards_costs_no_more_queries(
    world: World, as_user: SignIn, pattern: str, more: More
) -> None:
    address, client = pattern.format(board=world.board.pk), as_user(world.admin)
    more(world)
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
    ("/jobs/", 11),  # one a kind of job
]


@pytest.mark.parametrize(("pattern", "count"), PINNED)
def test_the_number_of_queries_is_known(
    world: World, as_user: SignIn, django_assert_num_queries: DjangoAssertNumQueries, pattern: str, count: int
) -> None:
    client = as_user(world.viewer)
    address = pattern.format(evaluation=world.evaluation.pk)
    with django_assert_num_queries(count):
        client.get(address)
