"""What the API tells: lists in pages with a fixed number of queries, scores, jobs, history, simulated things."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from dashboard.api.scores import safe_cell
from dashboard.jobs.failures import ALL
from dashboard.layers.models import Comparison, LayerScore
from tests import factories
from tests.api.conftest import caller

pytestmark = pytest.mark.django_db

# 2 for the token (whose it is, and noting its use), 1 to count, then the rows
QUERIES = {
    "/api/v1/projects/": 5,
    "/api/v1/models/": 4,
    "/api/v1/versions/": 6,
    "/api/v1/sources/": 4,
    "/api/v1/input-sets/": 4,
    "/api/v1/recipes/": 4,
    "/api/v1/conversions/": 4,
    "/api/v1/artifacts/": 4,
    "/api/v1/runs/": 4,
    "/api/v1/dumps/": 4,
    "/api/v1/comparisons/": 4,
    "/api/v1/evaluations/": 5,
    "/api/v1/boards/": 4,
    "/api/v1/tokens/": 4,
    "/api/v1/jobs/inspection/": 4,
    "/api/v1/jobs/conversion/": 4,
    "/api/v1/jobs/run/": 4,
    "/api/v1/jobs/comparison/": 4,
}


def queries(api, url: str) -> int:
    """How many queries the list takes."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(url).status_code == 200
    return len(captured)


@pytest.fixture
def filled(project):
    """One row of everything, and the means to add more."""
    model = factories.make_model(project)
    factories.make_evaluation(factories.make_version(model, ["direct", "traced"]))
    return model


@pytest.mark.parametrize("url", QUERIES)
def test_a_list_takes_the_same_queries_however_long_it_is(api, filled, url):
    short = queries(api, url)
    for _ in range(2):
        factories.make_evaluation(factories.make_version(filled, ["direct", "traced"]))
    assert (short, queries(api, url)) == (QUERIES[url], QUERIES[url])


def test_the_history_takes_the_same_queries_however_long_it_is(api, filled):
    url = f"/api/v1/models/{filled.pk}/history/"
    short = queries(api, url)
    factories.make_evaluation(factories.make_version(filled, ["direct", "traced"]))
    assert queries(api, url) == short


def test_pages_are_as_long_as_asked_for(api, project):
    for _ in range(3):
        factories.make_model(project)
    assert len(api.get("/api/v1/models/", {"page_size": 2}).json()["results"]) == 2


def test_pages_are_never_longer_than_500(api, project):
    board = factories.make_comparison(factories.make_dump(project), names=[f"layer_{n}" for n in range(501)])
    page = api.get(f"/api/v1/comparisons/{board.pk}/scores/", {"page_size": 10_000}).json()
    assert (page["count"], len(page["results"])) == (501, 500)


def test_lists_are_narrowed_by_what_the_row_belongs_to(api, project):
    first, second = (
        factories.make_version(factories.make_model(project)),
        factories.make_version(factories.make_model(project)),
    )
    rows = api.get("/api/v1/versions/", {"model": second.model_id}).json()["results"]
    assert [row["id"] for row in rows] == [second.pk] != [first.pk]


def test_a_board_of_two_projects_is_listed_once(project):
    user = factories.owner_of(project)
    factories.make_board(project, factories.make_project(user))
    client = APIClient()
    client.force_login(user)
    assert client.get("/api/v1/boards/").json()["count"] == 1


def test_scores_are_in_the_order_of_the_layers(api, project):
    comparison = factories.make_comparison(factories.make_dump(project))
    rows = api.get(f"/api/v1/comparisons/{comparison.pk}/scores/").json()["results"]
    assert [row["name"] for row in rows] == list(factories.LAYERS)


def csv_rows(api, comparison: Comparison) -> list[dict[str, str]]:
    answer = api.get(f"/api/v1/comparisons/{comparison.pk}/scores.csv")
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_scores_come_as_csv_with_every_digit(api, project):
    comparison = factories.make_comparison(factories.make_dump(project), cosines={"add_3": 0.1 + 0.2})
    assert float(csv_rows(api, comparison)[2]["cosine"]) == 0.1 + 0.2


def test_a_number_that_is_missing_is_an_empty_cell(api, project):
    comparison = factories.make_comparison(factories.make_dump(project))
    LayerScore.objects.update(sqnr_db=None)
    assert {row["sqnr_db"] for row in csv_rows(api, comparison)} == {""}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "  =1", "=cmd|' /C calc'!A0"])
def test_a_layers_name_is_never_a_formula(api, project, name):
    comparison = factories.make_comparison(factories.make_dump(project), names=[name])
    assert csv_rows(api, comparison)[0]["name"].startswith("'")


def test_a_negative_number_stays_a_number():
    assert safe_cell(-1.5) == "-1.5"


@pytest.mark.parametrize("simulated", [True, False])
def test_what_a_simulated_board_made_says_so_everywhere(api, project, simulated):
    board = factories.make_board(project, simulated=simulated)
    model = factories.make_model(project)
    leg = factories.make_evaluation(factories.make_version(model), board=board).legs.get()
    paths = [
        f"boards/{board.pk}/",
        f"runs/{leg.run_id}/",
        f"dumps/{leg.run.result.dump_id}/",
        f"comparisons/{leg.on_board_id}/",
        f"jobs/run/{leg.run_id}/",
        f"jobs/comparison/{leg.on_board_id}/",
    ]
    answers = [api.get(f"/api/v1/{path}").json() for path in paths]
    answers += [answers[1]["result"], api.get(f"/api/v1/models/{model.pk}/history/").json()["results"][0]]
    assert [answer["simulated"] for answer in answers] == [simulated] * 8


def test_a_failed_job_tells_code_title_and_advice(api, project):
    run = factories.fail(
        factories.make_queued_run(factories.make_artifact(conversion(project))), "board:link-lost"
    )
    failure = api.get(f"/api/v1/jobs/run/{run.pk}/").json()["failure"]
    assert (failure["code"], bool(failure["title"]), bool(failure["advice"])) == (
        "board:link-lost",
        True,
        True,
    )


def conversion(project):
    return factories.make_conversion(factories.make_version(factories.make_model(project)))


def test_a_job_tells_its_log(api, project):
    job = factories.begin(conversion(project))
    job.add_to_log(job.fence, "loading\n")
    assert api.get(f"/api/v1/jobs/conversion/{job.pk}/").json()["log"] == "loading\n"


def test_a_job_tells_its_progress(api, project):
    job = factories.begin(conversion(project))
    job.reached(job.fence, "quantizing", 3, 7)
    answer = api.get(f"/api/v1/jobs/conversion/{job.pk}/").json()
    assert (answer["state"], answer["stage"], answer["stage_done"], answer["stage_total"]) == (
        "running",
        "quantizing",
        3,
        7,
    )


def test_the_history_is_newest_first(api, filled):
    factories.make_evaluation(factories.make_version(filled))
    rows = api.get(f"/api/v1/models/{filled.pk}/history/").json()["results"]
    assert [row["number"] for row in rows] == [2, 1, 1]


def test_the_history_tells_time_and_summaries(api, filled):
    row = api.get(f"/api/v1/models/{filled.pk}/history/").json()["results"][0]
    assert (row["median_us"], row["on_board_summary"]) == (1500.0, {"layers": 3})


def test_every_failure_code_is_public(api):
    codes = [row["code"] for row in api.get("/api/v1/failures/", {"page_size": 500}).json()["results"]]
    assert codes == [failure.code for failure in ALL]


def test_a_project_tells_the_callers_role(project):
    client = caller(project, factories.make_member(project, factories.Role.VIEWER))
    assert client.get(f"/api/v1/projects/{project.pk}/").json()["role"] == "viewer"


def test_a_board_tells_nothing_that_helps_to_reach_it(api, project):
    board = factories.make_board(project)
    answer = api.get(f"/api/v1/boards/{board.pk}/").json()
    assert not {"address", "port", "username", "private_key", "work_folder"} & set(answer)


def test_a_board_is_paused_with_its_reason(api, project):
    board = factories.make_board(project)
    answer = api.post(f"/api/v1/boards/{board.pk}/pause/", {"reason": "smoke"}).json()
    assert (answer["state"], answer["reason"]) == ("paused", "smoke")


def test_a_board_is_resumed(api, project):
    board = factories.make_board(project)
    api.post(f"/api/v1/boards/{board.pk}/pause/")
    assert api.post(f"/api/v1/boards/{board.pk}/resume/").json()["state"] == "ready"


def test_any_two_dumps_of_a_project_can_be_compared(api, project):
    dumps = factories.make_dump(project), factories.make_dump(project)
    body = {"reference": dumps[0].pk, "candidate": dumps[1].pk}
    assert [api.post("/api/v1/comparisons/", body).status_code for _ in range(2)] == [201, 200]


def test_dumps_of_two_projects_cannot_be_compared(project):
    user = factories.owner_of(project)
    dumps = factories.make_dump(project), factories.make_dump(factories.make_project(user))
    client = APIClient()
    client.force_login(user)
    body = {"reference": dumps[0].pk, "candidate": dumps[1].pk}
    assert client.post("/api/v1/comparisons/", body).status_code == 422


@pytest.mark.parametrize("path", ["artifacts/{a}/file/", "dumps/{d}/file/", "runs/{r}/outputs/"])
def test_files_of_the_work_can_be_fetched(api, project, path):
    run = factories.make_run(factories.make_artifact(conversion(project)))
    url = path.format(a=run.artifact_id, d=run.result.dump_id, r=run.pk)
    assert len(b"".join(api.get(f"/api/v1/{url}").streaming_content)) > 0
