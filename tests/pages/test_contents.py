"""What the pages say."""

import json
from typing import Any

import pytest
from django.test import Client

from dashboard.boards.models import BoardState, RunResult
from dashboard.jobs.services import beat
from dashboard.layers.charts import TIMES
from dashboard.layers.models import LayerScore
from dashboard.registry.services import register_model
from tests.factories import (
    begin,
    fail,
    make_artifact,
    make_board,
    make_comparison,
    make_conversion,
    make_dump,
    make_evaluation,
    make_input_set,
    make_queued_run,
    make_run,
    make_version,
)
from tests.pages.conftest import SignIn, World

OF_A_SIMULATED_BOARD = [
    "/evaluations/{evaluation}/",
    "/runs/{run}/",
    "/boards/{board}/",
    "/boards/",
    "/compare/?a={run}&b={run}",
    "/models/{model}/history/",
    "/comparisons/{comparison}/",
]
LISTS = ["/projects/vision/", "/models/{model}/", "/versions/{version}/"]


def _text(client: Client, address: str, **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


@pytest.fixture
def viewer(world: World, as_user: SignIn) -> Client:
    return as_user(world.viewer)


@pytest.fixture
def developer(world: World, as_user: SignIn) -> Client:
    return as_user(world.developer)


def test_the_verdict_is_told_in_a_word_and_a_sentence(world: World, viewer: Client) -> None:
    page = _text(viewer, f"/evaluations/{world.evaluation.pk}/")
    assert "</span> fail</span>" in page and "The board leaves the quantized graph at add_3" in page


def test_a_reason_links_to_its_layer(world: World, viewer: Client) -> None:
    page, leg = _text(viewer, f"/evaluations/{world.evaluation.pk}/"), world.evaluation.legs.all()[0]
    assert f'href="#leg-{leg.pk}-layer-2"' in page and f'id="leg-{leg.pk}-layer-2"' in page


def test_the_first_bad_layer_is_marked(world: World, viewer: Client) -> None:
    assert 'class="first-bad"' in _text(viewer, f"/evaluations/{world.evaluation.pk}/")


def test_cosines_have_six_decimals(world: World, viewer: Client) -> None:
    assert "0.310000" in _text(viewer, f"/evaluations/{world.evaluation.pk}/")


def test_names_in_a_verdict_are_set_as_code_and_escaped(world: World, viewer: Client) -> None:
    world.evaluation.legs.update(sentence="It leaves at `<b>x</b>` first.")
    page = _text(viewer, f"/evaluations/{world.evaluation.pk}/")
    assert "It leaves at <code>&lt;b&gt;x&lt;/b&gt;</code> first." in page


def test_a_reason_that_the_sentence_tells_is_not_told_twice(world: World, viewer: Client) -> None:
    leg = world.evaluation.legs.all()[0]
    page = _text(viewer, f"/evaluations/{world.evaluation.pk}/")
    assert page.count(leg.sentence) == world.evaluation.legs.count()


def test_a_cosine_that_is_not_one_is_not_written_as_one(world: World, viewer: Client) -> None:
    leg = world.evaluation.legs.all()[0]
    LayerScore.objects.filter(comparison=leg.on_board, position=0).update(cosine=0.99999999)
    assert "0.99999999<" in _text(viewer, f"/comparisons/{leg.on_board_id}/")


@pytest.mark.parametrize("page", OF_A_SIMULATED_BOARD)
def test_what_a_simulated_board_made_says_so(world: World, viewer: Client, page: str) -> None:
    leg = world.evaluation.legs.all()[0]
    address = page.format(
        evaluation=world.evaluation.pk,
        run=leg.run_id,
        board=world.board.pk,
        model=world.evaluation.version.model_id,
        comparison=leg.on_board_id,
    )
    assert 'class="badge simulated"' in _text(viewer, address)


@pytest.mark.parametrize("page", LISTS)
def test_a_verdict_in_a_list_says_that_its_board_was_simulated(
    world: World, viewer: Client, page: str
) -> None:
    version = world.evaluation.version
    type(world.evaluation).objects.update(board=None)  # asked for any board
    world.board.projects.clear()
    page = _text(viewer, page.format(model=version.model_id, version=version.pk))
    assert 'class="badge simulated"' in page


def test_what_a_real_board_made_is_not_called_simulated(world: World, viewer: Client) -> None:
    real = make_run(
        make_artifact(make_conversion(world.evaluation.version)), make_board(world.project, simulated=False)
    )
    assert 'class="badge simulated"' not in _text(viewer, f"/runs/{real.pk}/")


def test_a_run_shows_which_executions_of_a_sequence_differed(world: World, viewer: Client) -> None:
    run = world.evaluation.legs.all()[0].run
    check = {
        "name": "reload",
        "runs": 4,
        "differing": [2, 3],
        "max_difference": 0.5,
        "hangs": 1,
        "median_us": 9.0,
    }
    RunResult.objects.filter(run=run).update(sequence=[check])
    page = _text(viewer, f"/runs/{run.pk}/")
    assert ("<h2>Sequences</h2>" in page, ": 2, 3" in page) == (True, True)


def test_a_run_shows_its_median_by_the_walls_clock(world: World, viewer: Client) -> None:
    run = world.evaluation.legs.all()[0].run
    RunResult.objects.filter(run=run).update(wall_us=[2000.0, 2500.0, 9000.0])
    assert "by the wall's clock 2.5" in _text(viewer, f"/runs/{run.pk}/").replace("&#x27;", "'")


def test_routes_stand_side_by_side(world: World, viewer: Client) -> None:
    assert "Routes side by side" in _text(viewer, f"/evaluations/{world.evaluation.pk}/")


def test_a_single_route_has_no_duel(world: World, viewer: Client) -> None:
    alone = make_evaluation(make_version(world.evaluation.version.model), board=world.board)
    assert "Routes side by side" not in _text(viewer, f"/evaluations/{alone.pk}/")


def test_an_evaluation_under_way_polls(world: World, viewer: Client) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    assert 'hx-trigger="every 2s"' in _text(viewer, f"/evaluations/{waiting.pk}/")


def test_an_ended_evaluation_does_not_poll(world: World, viewer: Client) -> None:
    assert "hx-get" not in _text(viewer, f"/evaluations/{world.evaluation.pk}/")


def test_the_progress_piece_asks_for_a_fresh_page_when_more_is_known(world: World, viewer: Client) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    answer = viewer.get(f"/evaluations/{waiting.pk}/?mark=old", headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true"


def test_the_progress_piece_stays_a_piece_while_nothing_is_new(world: World, viewer: Client) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    mark = viewer.get(f"/evaluations/{waiting.pk}/").context["mark"]
    answer = viewer.get(f"/evaluations/{waiting.pk}/?mark={mark}", headers={"HX-Request": "true"})
    assert "HX-Refresh" not in answer.headers and "<html" not in answer.content.decode()


def test_a_running_job_shows_its_stage(world: World, viewer: Client) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    conversion = begin(waiting.legs.all()[0].conversion)
    conversion.reached(conversion.fence, "quantizing", 3, 8)
    assert "quantizing" in _text(viewer, f"/evaluations/{waiting.pk}/")


def test_a_queued_job_says_that_no_worker_serves_it(world: World, viewer: Client) -> None:
    waiting = make_evaluation(world.evaluation.version, ended=False, board=world.board)
    assert "no worker serves the queue convert.reference" in _text(viewer, f"/evaluations/{waiting.pk}/")


def test_a_queued_run_says_that_its_board_is_paused(world: World, viewer: Client) -> None:
    world.board.state = BoardState.PAUSED
    world.board.save()
    beat("w", "worker", ["boards.local"])
    leg = make_evaluation(world.evaluation.version, ended=False, board=world.board).legs.all()[0]
    leg.run = make_queued_run(make_artifact(leg.conversion), world.board)
    leg.save()
    assert "desk is paused" in _text(viewer, f"/evaluations/{leg.evaluation_id}/")


def test_a_failed_job_shows_title_detail_and_advice(world: World, viewer: Client) -> None:
    conversion = fail(make_conversion(world.evaluation.version), "toolkit:out-of-memory", "killed at 8192 MB")
    page = _text(viewer, f"/jobs/conversion/{conversion.pk}/")
    assert all(
        text in page
        for text in ("more memory than it may use", "killed at 8192 MB", "LAYERWISE_TOOLKIT_MEMORY_MB")
    )


def test_the_log_is_plain_text(world: World, viewer: Client) -> None:
    conversion = begin(make_conversion(world.evaluation.version))
    conversion.add_to_log(conversion.fence, "<b>loading</b>")
    answer = viewer.get(f"/jobs/conversion/{conversion.pk}/log/")
    assert (answer.headers["Content-Type"], answer.content) == (
        "text/plain; charset=utf-8",
        b"<b>loading</b>",
    )


def test_a_log_in_a_page_is_text(world: World, viewer: Client) -> None:
    conversion = begin(make_conversion(world.evaluation.version))
    conversion.add_to_log(conversion.fence, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in _text(viewer, f"/jobs/conversion/{conversion.pk}/")


def test_names_from_users_are_escaped(world: World, viewer: Client) -> None:
    register_model(world.project, "<script>alert(1)</script>", world.admin)
    assert "<script>alert(1)" not in _text(viewer, f"/projects/{world.project.slug}/")


def test_layer_names_do_not_leave_the_charts_data(world: World, viewer: Client) -> None:
    leg = world.evaluation.legs.all()[0]
    LayerScore.objects.filter(comparison=leg.on_board).update(name="</script><script>alert(1)</script>")
    assert "<script>alert(1)" not in _text(viewer, f"/comparisons/{leg.on_board_id}/")


def test_jobs_are_filtered_by_kind_and_state(world: World, viewer: Client) -> None:
    fail(make_conversion(world.evaluation.version))
    shown = viewer.get("/jobs/?kind=conversion&state=failed").context["page"].jobs
    assert [(job.kind, job.state) for job in shown] == [("conversion", "failed")]


def test_the_list_of_jobs_reads_on_without_gap_or_repetition(world: World, viewer: Client) -> None:
    for _ in range(20):
        make_conversion(world.evaluation.version)
    seen, address = [], "/jobs/"
    while address:
        page = viewer.get(address).context["page"]
        seen += [str(job) for job in page.jobs]
        address = f"/jobs/?after={str(page.next).replace('+', '%2B')}" if page.next else ""
    assert len(seen) == len(set(seen)) == len(viewer.get("/jobs/").context["page"].jobs) + len(seen[50:])


@pytest.mark.parametrize("after", ["x", "2020-01-01~run~x", "~~", "2020-01-01T00:00:00~run~1", "0" * 500])
def test_a_damaged_cursor_is_the_first_page(world: World, viewer: Client, after: str) -> None:
    assert viewer.get("/jobs/", {"after": after}).context["page"].jobs


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999"])
def test_an_impossible_page_number_is_answered(world: World, viewer: Client, page: str) -> None:
    assert viewer.get(f"/versions/{world.evaluation.version_id}/", {"page": page}).status_code == 200


def test_a_run_of_another_project_is_not_told_on_the_boards_page(world: World, viewer: Client) -> None:
    foreign = make_evaluation()
    world.board.projects.add(foreign.project)
    run = begin(make_queued_run(foreign.legs.all()[0].run.artifact, world.board))
    run.hold(world.board)
    page = _text(viewer, f"/boards/{world.board.pk}/")
    assert "a run of another project" in page and foreign.version.model.name not in page


def test_runs_of_equal_layers_are_aligned_by_name(world: World, viewer: Client) -> None:
    first, second = (leg.run_id for leg in world.evaluation.legs.all())
    assert viewer.get(f"/compare/?a={first}&b={second}").context["found"].how == "key"


def _other_names(world: World) -> Any:
    """A run whose network names its layers differently."""
    artifact = make_artifact(make_conversion(world.evaluation.version, "traced"))
    run = make_run(artifact, world.board)
    names = ("a", "b", "c")
    make_comparison(artifact.framework, artifact.quantized, names)
    make_comparison(artifact.quantized, run.result.dump, names)
    return run


def test_runs_of_other_names_say_that_they_are_not_aligned(world: World, viewer: Client) -> None:
    first, second = world.evaluation.legs.all()[0].run, _other_names(world)
    assert "name their layers differently" in _text(viewer, f"/compare/?a={first.pk}&b={second.pk}")


def test_layers_that_nobody_aligned_are_not_called_unique(world: World, viewer: Client) -> None:
    first, second = world.evaluation.legs.all()[0].run, _other_names(world)
    page = _text(viewer, f"/compare/?a={first.pk}&b={second.pk}")
    assert "not aligned</span>" in page and "only in B</span>" not in page


def test_runs_of_other_names_are_aligned_by_the_stored_comparison(world: World, viewer: Client) -> None:
    first, second = world.evaluation.legs.all()[0].run, _other_names(world)
    matching = make_comparison(first.artifact.framework, second.artifact.framework)
    for position, name in enumerate("abc"):
        LayerScore.objects.filter(comparison=matching, position=position).update(candidate_key=name)
    found = viewer.get(f"/compare/?a={first.pk}&b={second.pk}").context["found"]
    assert [(p.first.name, p.second.name) for p in found.pairs if p.first and p.second] == [
        ("conv_1", "a"),
        ("conv_2", "b"),
        ("add_3", "c"),
    ]


def test_a_fingerprint_that_differs_is_named(world: World, viewer: Client) -> None:
    first, second = (leg.run for leg in world.evaluation.legs.all())
    second.result.fingerprint_after = {"kernel": "6.1", "temperature_c": 44}
    second.result.save()
    found = viewer.get(f"/compare/?a={first.pk}&b={second.pk}").context["found"]
    assert [(d.field, d.matters) for d in found.differences] == [("kernel", True)]


def test_temperature_alone_does_not_forbid_comparing_times(world: World, viewer: Client) -> None:
    first, second = (leg.run for leg in world.evaluation.legs.all())
    second.result.fingerprint_after = {**first.result.fingerprint_after, "temperature_c": 70}
    second.result.save()
    assert viewer.get(f"/compare/?a={first.pk}&b={second.pk}").context["found"].times_comparable


def test_the_history_has_a_point_per_route_and_version(world: World, viewer: Client) -> None:
    make_evaluation(make_version(world.evaluation.version.model, ("direct", "traced")), board=world.board)
    points = viewer.get(f"/models/{world.evaluation.version.model_id}/history/").context["points"]
    assert sorted((point.version, point.route) for point in points) == [
        (1, "direct"), (1, "traced"), (2, "direct"), (2, "traced"),
    ]  # fmt: skip


def test_a_failed_inspection_shows_what_to_do(world: World, viewer: Client) -> None:
    version = make_version(world.evaluation.version.model, inspected=False)
    fail(version.sources.all()[0].inspection, "model:not-onnx", "parse error")
    assert "The file is not an ONNX model" in _text(viewer, f"/versions/{version.pk}/")


def test_a_version_none_of_whose_files_is_good_is_not_evaluated(world: World, developer: Client) -> None:
    version = make_version(world.evaluation.version.model, inspected=False)
    fail(version.sources.all()[0].inspection, "model:not-onnx", "parse error")
    page = _text(developer, f"/versions/{version.pk}/")
    assert "evaluations/new/" not in page and f"/models/{version.model_id}/versions/new/" in page


def test_the_inspection_is_shown(world: World, viewer: Client) -> None:
    page = _text(viewer, f"/models/{world.evaluation.version.model_id}/")
    assert "1 x 3 x 8 x 8".replace("x", TIMES) in page and "1234 parameters" in page


def test_the_charts_are_data_that_plotly_accepts(world: World, viewer: Client) -> None:
    import plotly.graph_objects as go

    chart = viewer.get(f"/evaluations/{world.evaluation.pk}/").context["legs"][0].chart
    figure = go.Figure(json.loads(json.dumps(chart["figure"])))
    assert [trace.type for trace in figure.data][:2] == ["bar", "scatter"]


def test_the_historys_charts_are_data_that_plotly_accepts(world: World, viewer: Client) -> None:
    import plotly.graph_objects as go

    shown = viewer.get(f"/models/{world.evaluation.version.model_id}/history/").context
    assert len(go.Figure(json.loads(json.dumps(shown["latency"]["figure"]))).data) == 2


def test_an_unknown_page_is_a_kind_404(viewer: Client) -> None:
    answer = viewer.get("/nothing/here/")
    assert (answer.status_code, b"Nothing here" in answer.content) == (404, True)


@pytest.mark.parametrize(
    "address", ["/jobs/nonsense/1/", "/jobs/job/1/", "/compare/?a=x", f"/compare/?a={'9' * 40}"]
)
def test_addresses_that_mean_nothing_are_404(viewer: Client, address: str) -> None:
    assert viewer.get(address).status_code == 404


def test_a_lost_file_is_a_404(world: World, viewer: Client) -> None:
    dump = make_dump(world.project)
    type(dump).objects.filter(pk=dump.pk).update(sha256="0" * 64)
    assert viewer.get(f"/dumps/{dump.pk}/file/").status_code == 404


def test_the_list_of_input_sets_tells_how_many_samples_each_has(world: World, viewer: Client) -> None:
    name = make_input_set(world.project).name
    page = _text(viewer, "/projects/vision/input-sets/")
    row = page[page.index(f">{name}</a>") :].split("</tr>")[0]
    assert '<td class="number">4</td>' in row


def test_the_list_of_input_sets_tells_why_one_is_no_good(world: World, viewer: Client) -> None:
    fail(make_input_set(world.project, inspected=False).inspection, "data:pickle", "a.npy")
    assert "holds pickled Python objects" in _text(viewer, "/projects/vision/input-sets/")


def test_the_list_of_input_sets_has_pages(world: World, viewer: Client) -> None:
    old = world.evaluation.calibration.name
    for _ in range(50):
        make_input_set(world.project, inspected=False)
    first, second = (_text(viewer, f"/projects/vision/input-sets/?page={number}") for number in (1, 2))
    assert f">{old}</a>" not in first and f">{old}</a>" in second


def test_a_project_with_many_input_sets_leads_to_all_of_them(world: World, viewer: Client) -> None:
    for _ in range(11):
        make_input_set(world.project, inspected=False)
    assert "All input sets, with" in _text(viewer, "/projects/vision/")


def test_a_project_that_shows_all_its_input_sets_does_not_promise_more(world: World, viewer: Client) -> None:
    assert "All input sets, with" not in _text(viewer, "/projects/vision/")


def test_an_input_set_shows_what_is_in_it(world: World, viewer: Client) -> None:
    samples = make_input_set(world.project)
    assert f"8 {TIMES} 8 {TIMES} 3 uint8" in _text(viewer, f"/input-sets/{samples.pk}/")
