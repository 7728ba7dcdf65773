"""A board's page and the list of boards: the state at one look, what changed, and nothing of other projects' runs."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from dashboard.boards.models import Board, Run
from dashboard.boards.services import set_state
from dashboard.boards.shown import Filter
from dashboard.jobs.services import beat
from dashboard.projects.models import Project
from dashboard.telemetry.models import Reading
from dashboard.telemetry.sites import note_sites
from tests.claims import claim_with_board
from tests.factories import (
    make_artifact,
    make_board,
    make_conversion,
    make_member,
    make_model,
    make_project,
    make_queued_run,
    make_version,
    make_visit,
)
from tests.pages.conftest import SignIn, World

CALM = {"kernel": "4.19.111", "temperature_mc": 41_000, "clocks": {"npu_hz": 934_000_000}}
POLL = {"HX-Request": "true"}


@pytest.fixture
def viewer(world: World, as_user: SignIn) -> Client:
    return as_user(world.viewer)


@pytest.fixture
def elsewhere(world: World) -> Project:
    """Another project that may use the same board."""
    project = make_project(name="Secret project")
    world.board.projects.add(project)
    return project


def run_in(project: Project, board: Board) -> Run:
    """A run of the project that holds the board now."""
    version = make_version(make_model(project, f"model of {project.name}"))
    run = make_queued_run(make_artifact(make_conversion(version)), board)
    assert claim_with_board(run, "worker@test")
    run.add_to_log(run.fence, "a line of the log\n")
    return run


def text(client: Client, board: Board, address: str = "", **headers: str) -> str:
    return client.get(f"/boards/{board.pk}/{address}", headers=headers).content.decode()


def test_the_run_of_ones_own_project_is_named(world: World, viewer: Client) -> None:
    run_in(world.project, world.board)
    assert "Run model of Vision v1 main on desk" in text(viewer, world.board)


def test_the_log_of_ones_own_run_is_shown_live(world: World, viewer: Client) -> None:
    run_in(world.project, world.board)
    assert "a line of the log" in text(viewer, world.board, **POLL)


def test_the_stage_of_ones_own_run_is_shown_live(world: World, viewer: Client) -> None:
    run = run_in(world.project, world.board)
    run.reached(run.fence, "dumping layers", 3, 7)
    assert "dumping layers" in text(viewer, world.board, **POLL)


@pytest.mark.parametrize("headers", [{}, POLL])
def test_the_run_of_another_project_is_busy_and_no_more(
    world: World, viewer: Client, elsewhere: Project, headers: dict[str, str]
) -> None:
    run = run_in(elsewhere, world.board)
    seen = text(viewer, world.board, **headers)
    assert "Busy with a run of another project" in seen
    assert not any(word in seen for word in ("Secret project", "a line of the log", f"/runs/{run.pk}/"))


def test_the_list_names_no_run_of_another_project(world: World, viewer: Client, elsewhere: Project) -> None:
    run = run_in(elsewhere, world.board)
    seen = viewer.get("/boards/").content.decode()
    assert ("another project" in seen, f"run {run.pk}" in seen) == (True, False)


def test_a_busy_board_asks_for_itself_again(world: World, viewer: Client) -> None:
    run_in(world.project, world.board)
    assert 'hx-trigger="every 2s"' in text(viewer, world.board)


def test_asking_ends_with_the_run_and_the_page_is_loaded_anew(world: World, viewer: Client) -> None:
    run = run_in(world.project, world.board)
    run.succeed(run.fence)
    answer = viewer.get(f"/boards/{world.board.pk}/", headers=POLL)
    assert (answer.headers["HX-Refresh"], "hx-trigger" in answer.content.decode()) == ("true", False)


def test_an_idle_board_asks_for_nothing(world: World, viewer: Client) -> None:
    assert "hx-trigger" not in text(viewer, world.board)


def test_the_reason_and_since_when_are_shown(world: World, viewer: Client) -> None:
    set_state(world.board, "unhealthy", "board:npu-hung: 5 s of silence")
    seen = text(viewer, world.board)
    assert "board:npu-hung: 5 s of silence" in seen
    assert f"since {world.board.state_since:%Y-%m-%d %H:%M:%S}" in seen


def test_a_change_leads_to_ones_own_run(world: World, viewer: Client) -> None:
    make_visit(world.board, CALM, CALM)
    run = make_visit(world.board, CALM, {**CALM, "kernel": "5.10.160"})
    seen = text(viewer, world.board)
    assert ("5.10.160" in seen, f'href="/runs/{run.pk}/"' in seen) == (True, True)


@pytest.mark.parametrize("page", ["", "changes/"])
def test_a_change_by_another_projects_run_names_no_run(
    world: World, viewer: Client, elsewhere: Project, page: str
) -> None:
    make_visit(world.board, CALM, CALM)
    artifact = make_artifact(make_conversion(make_version(make_model(elsewhere))))
    run = make_visit(world.board, CALM, {**CALM, "kernel": "5.10.160"}, artifact)
    seen = text(viewer, world.board, page)
    assert ("5.10.160" in seen, f"/runs/{run.pk}/" in seen) == (True, False)


def test_what_the_board_told_is_text_and_never_html(world: World, viewer: Client) -> None:
    make_visit(world.board, CALM, CALM)
    make_visit(world.board, CALM, {**CALM, "<script>alert(1)</script>": "<img src=x>"})
    assert not any(bad in text(viewer, world.board) for bad in ("<script>alert", "<img src=x>"))


@pytest.mark.parametrize("span", ["day", "week", "month", "all", "", "nonsense"])
def test_readings_are_drawn_and_told_in_a_table(world: World, viewer: Client, span: str) -> None:
    make_visit(world.board, CALM, {**CALM, "temperature_mc": 66_600})
    seen = text(viewer, world.board, f"?span={span}")
    assert ('id="temperature-figure"' in seen, "66.6</td>" in seen) == (True, True)


def test_what_a_board_never_told_has_no_chart(world: World, viewer: Client) -> None:
    make_visit(world.board, CALM, CALM)
    assert 'id="load-figure"' not in text(viewer, world.board)


def test_many_readings_become_the_worst_of_each_hour(world: World, viewer: Client) -> None:
    Reading.objects.bulk_create(
        Reading(board=world.board, moment="after", temperature_c=40 + number % 30) for number in range(700)
    )
    seen = text(viewer, world.board)
    assert ("in each hour" in seen, "69.0</td>" in seen) == (True, True)


def test_a_slower_run_is_told(world: World, viewer: Client) -> None:
    artifact = make_artifact(make_conversion(world.evaluation.version))
    runs = [make_visit(world.board, CALM, CALM, artifact) for _ in range(2)]
    type(runs[1].result).objects.filter(run=runs[1]).update(median_us=3.0)
    assert "+50.0 %" in text(viewer, world.board)


class TestTheList:
    """Filters, temperature, queue."""

    @pytest.fixture(autouse=True)
    def others(self, world: World) -> None:
        board = make_board(world.project, name="bench", simulated=False, site="lab-b")
        board.labels, board.platform = ["camera"], "rk3588"
        board.save()

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            ("", ["bench", "desk"]),
            ("site=lab-b", ["bench"]),
            ("platform=rv1126", ["desk"]),
            ("label=camera", ["bench"]),
            ("label=cam", []),
            ("made_of=real", ["bench"]),
            ("made_of=simulated", ["desk"]),
            ("state=paused", []),
            ("state=ready&site=local", ["desk"]),
            ("state=busy", []),
            ("state=%00&site=%00", ["bench", "desk"]),
        ],
    )
    def test_it_is_narrowed(self, viewer: Client, query: str, shown: list[str]) -> None:
        rows = viewer.get(f"/boards/?{query}").context["rows"]
        assert [board.name for board, _ in rows] == shown

    def test_the_last_temperature_is_shown(self, world: World, viewer: Client) -> None:
        make_visit(world.board, CALM, {**CALM, "temperature_mc": 58_300})
        assert "58.3</td>" in viewer.get("/boards/").content.decode()

    def test_the_queue_before_a_board_is_counted(self, world: World, viewer: Client) -> None:
        artifact = make_artifact(make_conversion(world.evaluation.version))
        make_queued_run(artifact, world.board)
        any_board = make_queued_run(artifact, world.board)
        Run.objects.filter(pk=any_board.pk).update(wanted_board=None)
        rows = viewer.get("/boards/").context["rows"]
        assert {board.name: queued for board, queued in rows} == {"desk": 2, "bench": 0}

    def test_the_next_page_keeps_the_filter(self, world: World, viewer: Client) -> None:
        for number in range(51):
            make_board(world.project, name=f"many-{number:02d}", site="lab-c")
        assert "?site=lab-c&amp;page=2" in viewer.get("/boards/?site=lab-c").content.decode()

    def test_its_queries_are_known(
        self, viewer: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(12):
            viewer.get("/boards/")


def test_the_queries_of_a_board_are_known(
    world: World, viewer: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_visit(world.board, CALM, CALM)
    with django_assert_num_queries(27):
        viewer.get(f"/boards/{world.board.pk}/")


def test_the_queries_of_a_look_are_known(
    world: World, viewer: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    run_in(world.project, world.board)
    with django_assert_num_queries(9):
        viewer.get(f"/boards/{world.board.pk}/", headers=POLL)


class TestSites:
    """A site without a worker is told wherever its boards are."""

    PAGES = ("/boards/", "/sites/", "/boards/{board}/")

    @pytest.mark.parametrize("page", PAGES)
    def test_nobody_ever_worked_there(self, world: World, viewer: Client, page: str) -> None:
        assert "none has been seen" in viewer.get(page.format(board=world.board.pk)).content.decode()

    @pytest.mark.parametrize("page", PAGES)
    def test_a_worker_lives_there(self, world: World, viewer: Client, page: str) -> None:
        beat("lab:1", "worker", ["boards.local"])
        seen = viewer.get(page.format(board=world.board.pk)).content.decode()
        assert "no worker" not in seen.lower()

    @pytest.mark.parametrize("page", PAGES)
    def test_its_worker_went(self, world: World, viewer: Client, page: str, settings: Any) -> None:
        beat("lab:1", "worker", ["boards.local"])
        note_sites()
        from dashboard.jobs.services import gone

        gone("lab:1")
        seen = viewer.get(page.format(board=world.board.pk)).content.decode()
        assert "since 20" in seen

    def test_sites_of_others_are_not_listed(self, viewer: Client) -> None:
        make_board(make_project(), site="their-lab")
        assert "their-lab" not in viewer.get("/sites/").content.decode()

    def test_a_member_of_no_project_sees_none(self, world: World, as_user: SignIn) -> None:
        stranger = as_user(world.stranger)
        assert "local" not in stranger.get("/sites/").content.decode()


def test_a_viewer_is_offered_no_pause(world: World, viewer: Client) -> None:
    make_member(world.project)
    assert "/pause/" not in text(viewer, world.board)


def test_an_artifact_of_the_reference_toolkit_is_downloaded_as_onnx(world: World, as_user: SignIn) -> None:
    artifact = world.evaluation.legs.all()[0].run.artifact
    answer = as_user(world.developer).get(f"/artifacts/{artifact.pk}/file/")
    answer.close()
    assert ".onnx" in answer["Content-Disposition"]


def test_the_list_of_busy_boards_has_those_that_a_probe_holds(world: World) -> None:
    Board.objects.filter(pk=world.board.pk).update(held_by="probe 7")
    shown = [
        [one.name for one in Filter(state=state).apply(Board.objects.all())] for state in ("busy", "ready")
    ]
    assert shown == [["desk"], []]
