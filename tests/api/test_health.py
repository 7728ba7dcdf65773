"""Boards' health by REST: golden models, checks, incidents, twin checks and power."""

from typing import Any

from rest_framework.test import APIClient

from dashboard.boards.models import Board, Run
from dashboard.health import incidents
from dashboard.health.models import GoldenModel, IncidentKind, Outcome, PowerSwitch
from dashboard.health.switches import configuration_of
from dashboard.projects.models import Project
from tests.api.conftest import caller
from tests.factories import make_artifact, make_board, make_conversion, make_model, make_run, make_version
from tests.health.rows import make_check

V1 = "/api/v1"


def run_in(project: Project) -> tuple[Run, Board]:
    board = make_board(project)
    conversion = make_conversion(make_version(make_model(project)))
    return make_run(make_artifact(conversion), board), board


def test_an_admin_names_and_retires_a_golden_model(project: Project, api: APIClient):
    run, board = run_in(project)
    Board.objects.filter(pk=board.pk).update(runtime_version="1.7.3")
    made: Any = api.post(f"{V1}/golden-models/", {"run": run.pk, "runtime_version": "1.7.3"}).json()
    gone = api.post(f"{V1}/golden-models/{made['id']}/retire/").json()
    assert (made["outputs"][0]["run"], made["simulated"], gone["retired_at"] is not None) == (
        run.pk,
        True,
        True,
    )


def test_a_runtime_version_that_no_board_has_is_refused_by_its_name(project: Project, api: APIClient):
    run, _ = run_in(project)
    answer = api.post(f"{V1}/golden-models/", {"run": run.pk, "runtime_version": "9.9"})
    assert (answer.status_code, list(answer.json()["detail"])) == (400, ["runtime_version"])


def test_a_run_that_failed_is_no_golden_model(project: Project, api: APIClient):
    run, _ = run_in(project)
    Run.objects.filter(pk=run.pk).update(state="failed")
    answer = api.post(f"{V1}/golden-models/", {"run": run.pk})
    assert (answer.status_code, GoldenModel.objects.exists()) == (400, False)


def test_a_run_of_another_project_is_not_found(project: Project, api: APIClient):
    assert api.post(f"{V1}/golden-models/", {"run": make_run().pk}).status_code == 404


def test_a_check_tells_its_evidence(project: Project, api: APIClient):
    run, board = run_in(project)
    check = make_check(run, board)
    told = api.get(f"{V1}/health-checks/{check.pk}/").json()
    assert (told["outcome"], told["evidence"]["outputs"]["tensors"][0]["differing"]) == ("new stack", 12)


def test_checks_are_narrowed_by_board_and_outcome(project: Project, api: APIClient):
    run, board = run_in(project)
    make_check(run, board, Outcome.PASSED)
    counts = [
        api.get(f"{V1}/health-checks/?board={board.pk}&outcome={outcome}").json()["count"]
        for outcome in ("passed", "differs")
    ]
    assert counts == [1, 0]


def test_accepting_is_done_once_for_what_differs(project: Project, api: APIClient):
    run, board = run_in(project)
    differs, passed = make_check(run, board), make_check(run, board, Outcome.PASSED)
    answers = [api.post(f"{V1}/health-checks/{check.pk}/accept/").status_code for check in (differs, passed)]
    assert answers == [200, 400]


def test_asking_for_a_check_without_a_golden_model_is_a_conflict(project: Project, api: APIClient):
    board = make_board(project)
    answer = api.post(f"{V1}/boards/{board.pk}/check/")
    assert (answer.status_code, answer.json()["message"]) == (409, "No golden model fits it.")


def test_a_check_is_asked_for(project: Project, api: APIClient):
    run, board = run_in(project)
    make_check(run, board, Outcome.PASSED)
    assert api.post(f"{V1}/boards/{board.pk}/check/").json()["cause"] == "asked"


def test_an_incident_of_a_foreign_run_has_no_detail(project: Project, api: APIClient):
    board = make_board(project)
    foreign = make_run(board=board)
    incidents.note(board, IncidentKind.FAILURE, code="board:npu-failed", detail="secret", run=foreign)
    [told] = api.get(f"{V1}/incidents/?board={board.pk}").json()["results"]
    assert (told["code"], told["detail"], told["run"]) == ("board:npu-failed", "", None)


def test_a_token_of_one_project_shows_only_that_projects_details(project: Project):
    board = make_board(project)
    run, _ = run_in(project)
    incidents.note(board, IncidentKind.HANG, detail="1 of 20", run=run)
    [told] = caller(project).get(f"{V1}/incidents/?board={board.pk}").json()["results"]
    assert told["detail"] == "1 of 20"


def test_a_power_switch_is_written_and_never_read_back(project: Project, api: APIClient):
    board = make_board(project)
    body = {"kind": "http", "off": ["http://10.0.0.7/x?key=sesame"], "headers": {"X-Key": "hush"}}
    told = api.post(f"{V1}/boards/{board.pk}/power-switch/", body, format="json")
    assert (sorted(told.json()), told.status_code) == (["automatic", "kind", "updated_at"], 200)
    assert configuration_of(PowerSwitch.objects.get()).headers == (("X-Key", "hush"),)


def test_a_bad_power_switch_is_refused(project: Project, api: APIClient):
    board = make_board(project)
    body = {"kind": "command", "off": ["../../bin/sh"]}
    assert api.post(f"{V1}/boards/{board.pk}/power-switch/", body, format="json").status_code == 400


def test_a_restart_without_a_switch_is_a_conflict(project: Project, api: APIClient):
    board = make_board(project)
    assert api.post(f"{V1}/boards/{board.pk}/power-cycle/").status_code == 409


def test_a_twin_check_is_asked_for(project: Project, api: APIClient):
    run, board = run_in(project)
    other = make_board(project)
    body = {"artifact": run.artifact_id, "first": board.pk, "second": other.pk}
    told = api.post(f"{V1}/twin-checks/", body).json()
    assert (told["state"], told["outcome"], told["simulated"]) == ("queued", "", True)


def test_a_twin_check_on_one_board_is_refused(project: Project, api: APIClient):
    run, _ = run_in(project)
    answer = api.post(f"{V1}/twin-checks/", {"artifact": run.artifact_id})
    assert (answer.status_code, "no two boards" in str(answer.json()["detail"])) == (400, True)


def test_every_kind_of_job_has_its_address(project: Project, api: APIClient):
    run, board = run_in(project)
    check = make_check(run, board, Outcome.PASSED)
    answers = [api.get(f"{V1}/jobs/{kind}/").status_code for kind in ("check", "twin", "power")]
    assert (answers, api.get(f"{V1}/jobs/check/{check.pk}/").json()["kind"]) == ([200, 200, 200], "check")
