"""Evaluations on their way: what is asked for when, and that every failure ends in a clear verdict."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from dashboard.boards.models import Run
from dashboard.conversions.models import Conversion, FrameworkBy
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.models import Evaluation, Outcome
from dashboard.evaluations.services import Wanted, cancel_evaluation, request_evaluation
from dashboard.evaluations.verdicts import judge_leg, nowhere
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison
from dashboard.layers.services import request_comparison
from dashboard.pipeline import advance
from dashboard.registry.models import Inspection, ModelVersion, Purpose
from dashboard.registry.services import Refused
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("converter")]


@pytest.fixture
def project():
    return factories.make_project()


@pytest.fixture
def version(project):
    return factories.make_version(factories.make_model(project))


def wanted(version: ModelVersion, **more) -> Wanted:
    project = version.project
    sets = [
        factories.make_input_set(project, purpose) for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION)
    ]
    return Wanted(**{"recipe": RecipeSettings(), "calibration": sets[0], "samples": sets[1], **more})


def ask(version: ModelVersion, **more) -> Evaluation:
    return request_evaluation(version, wanted(version, **more), factories.owner_of(version.project))[0]


def leg_of(evaluation: Evaluation):
    return evaluation.legs.get()


def converted(evaluation: Evaluation):
    """Let the conversion end well; returns the artifact."""
    artifact = factories.make_artifact(leg_of(evaluation).conversion)
    advance(artifact.conversion)
    return artifact


def test_every_source_is_a_leg(project):
    version = factories.make_version(factories.make_model(project), ["direct", "traced"])
    assert ask(version).legs.count() == 2


def test_a_conversion_is_asked_for_at_once_when_the_files_are_known(version):
    assert leg_of(ask(version)).conversion.state == State.QUEUED


def test_nothing_is_converted_before_the_inspection_has_ended(project):
    version = factories.make_version(factories.make_model(project), inspected=False)
    assert leg_of(ask(version)).conversion is None


def test_the_end_of_the_inspection_asks_for_the_conversion(project):
    version = factories.make_version(factories.make_model(project), inspected=False)
    evaluation = ask(version)
    inspection = factories.succeed(version.sources.get().inspection)
    advance(inspection)
    assert leg_of(evaluation).conversion is not None


def test_a_bad_file_ends_the_leg_with_its_reason(project):
    version = factories.make_version(factories.make_model(project), inspected=False)
    evaluation = ask(version)
    advance(factories.fail(version.sources.get().inspection, "model:not-onnx", "no header"))
    leg = leg_of(evaluation)
    assert (leg.outcome, leg.reasons[0]["code"]) == (Outcome.CANNOT_TELL, "model:not-onnx")


def test_the_last_leg_ends_the_evaluation(project):
    version = factories.make_version(factories.make_model(project), inspected=False)
    evaluation = ask(version)
    advance(factories.fail(version.sources.get().inspection, "model:not-onnx"))
    evaluation.refresh_from_db()
    assert evaluation.has_ended and evaluation.outcome == Outcome.CANNOT_TELL


def of_format(project, **formats: str) -> ModelVersion:
    return factories.make_version(factories.make_model(project), list(formats), formats=formats)


@pytest.mark.parametrize("format", ["mxnet", "keras", "rknn"])
def test_a_toolkit_that_does_not_take_the_format_is_refused_at_once(project, format):
    with pytest.raises(Refused) as refused:
        ask(of_format(project, main=format))
    assert refused.value.code == "recipe:wrong-format"


def test_the_refusal_says_which_toolkit_would_do(project):
    with pytest.raises(Refused) as refused:
        ask(of_format(project, main="caffe"))
    assert refused.value.detail == "reference does not take Caffe files; rknn1 and rknn2 would."


def test_the_refusal_says_how_to_make_an_onnx_file_of_it(project):
    with pytest.raises(Refused) as refused:
        ask(of_format(project, main="keras"))
    assert refused.value.detail.startswith(
        "reference does not take Keras files; rknn1 would. For ONNX, load it"
    )


def test_of_several_routes_those_that_fit_are_converted(project):
    legs = ask(of_format(project, direct="onnx", traced="mxnet")).legs.order_by("pk")
    assert [leg.conversion is not None for leg in legs] == [True, False]


def test_a_route_that_does_not_fit_ends_with_words_before_a_job_starts(project):
    leg = ask(of_format(project, direct="onnx", traced="mxnet")).legs.get(source__route="traced")
    assert (leg.outcome, leg.reasons[0]["code"]) == (Outcome.CANNOT_TELL, "recipe:wrong-format")


def test_a_format_that_only_the_inspection_tells_ends_the_leg_then(project):
    version = factories.make_version(factories.make_model(project), inspected=False)
    evaluation = ask(version)
    inspection = factories.begin(version.sources.get().inspection)
    Inspection.objects.filter(pk=inspection.pk).update(report={"format": "keras"})
    assert inspection.succeed(inspection.fence)
    advance(inspection)
    assert leg_of(evaluation).reasons[0]["code"] == "recipe:wrong-format"


def test_equal_requests_share_one_conversion(version):
    same = wanted(version)
    for _ in range(2):
        request_evaluation(version, same, None)
    assert Conversion.objects.count() == 1


def test_a_conversion_that_failed_ends_the_leg(version):
    evaluation = ask(version)
    advance(factories.fail(leg_of(evaluation).conversion, "toolkit:crashed"))
    assert leg_of(evaluation).reasons[0]["code"] == "toolkit:crashed"


def test_after_the_conversion_both_graphs_are_compared(version):
    evaluation = ask(version)
    artifact = converted(evaluation)
    comparison = leg_of(evaluation).quantization
    assert (comparison.reference, comparison.candidate) == (artifact.framework, artifact.quantized)


def test_after_the_conversion_a_board_runs_the_artifact(version):
    board = factories.make_board(version.project)
    evaluation = ask(version, board=board)
    converted(evaluation)
    assert leg_of(evaluation).run.wanted_board == board


@pytest.mark.parametrize(("toolkit", "simulated"), [("reference", False), ("rknn1", True)])
def test_a_board_that_cannot_execute_what_is_made_is_refused_at_once(version, toolkit, simulated):
    factories.make_converter(factories.offer_of("reference"), factories.offer_of("rknn1"))
    board = factories.make_board(version.project, simulated=simulated)
    with pytest.raises(Refused) as refused:
        ask(version, board=board, recipe=RecipeSettings(toolkit=toolkit))
    assert (refused.value.code, "and no other board does" in refused.value.detail) == (
        "recipe:invalid",
        True,
    )


def test_with_boards_of_the_other_kind_only_nothing_is_run_and_the_verdict_says_why(version):
    factories.make_board(version.project, simulated=False)
    evaluation = ask(version)
    artifact = converted(evaluation)
    leg = leg_of(evaluation)
    assert leg.run is None and artifact.is_for_simulation
    assert "only a board of software (NPU sim) executes" in nowhere(leg)


def test_without_any_board_nothing_is_run(version):
    evaluation = ask(version)
    converted(evaluation)
    assert leg_of(evaluation).run is None


def test_after_the_run_its_dump_is_compared(version):
    board = factories.make_board(version.project)
    evaluation = ask(version, board=board)
    artifact = converted(evaluation)
    run = leg_of(evaluation).run
    result = factories.make_run(artifact, board).result
    factories.succeed(run)
    type(result).objects.filter(pk=result.pk).update(run=run)
    advance(Run.objects.get(pk=run.pk))
    assert leg_of(evaluation).on_board.candidate == result.dump


def test_telling_twice_asks_for_nothing_twice(version):
    factories.make_board(version.project)
    evaluation = ask(version)
    artifact = converted(evaluation)
    advance(artifact.conversion)
    assert (Comparison.objects.count(), Run.objects.count()) == (1, 1)


def test_cancelling_ends_legs_and_jobs(version):
    evaluation = ask(version)
    cancel_evaluation(evaluation, None)
    leg = leg_of(evaluation)
    assert (leg.outcome, leg.conversion.state) == (Outcome.CANNOT_TELL, State.CANCELLED)


def test_a_conversion_that_another_evaluation_waits_for_is_not_cancelled(version):
    same = wanted(version)
    first, _ = request_evaluation(version, same, None)
    second, _ = request_evaluation(version, same, None)
    cancel_evaluation(first, None)
    assert leg_of(second).conversion.state == State.QUEUED


def test_a_comparison_that_another_evaluation_waits_for_is_not_cancelled(version):
    same = wanted(version)
    first, _ = request_evaluation(version, same, None)
    second, _ = request_evaluation(version, same, None)
    converted(first)
    cancel_evaluation(first, None)
    assert leg_of(second).quantization.state == State.QUEUED


def test_a_comparison_that_somebody_asked_for_is_not_cancelled(version):
    evaluation = ask(version)
    artifact = factories.make_artifact(leg_of(evaluation).conversion)
    comparison = request_comparison(artifact.framework, artifact.quantized, factories.make_user())
    advance(artifact.conversion)
    cancel_evaluation(evaluation, None)
    comparison.refresh_from_db()
    assert comparison.state == State.QUEUED


def test_the_same_key_is_the_same_evaluation(version):
    same = wanted(version, idempotency_key="k")
    first = request_evaluation(version, same, None)
    assert (first[1], request_evaluation(version, same, None)) == (True, (first[0], False))


def test_the_same_key_in_another_project_is_another_evaluation(version):
    ask(version, idempotency_key="k")
    other = factories.make_version()
    assert request_evaluation(other, wanted(other, idempotency_key="k"), None)[1]


@pytest.mark.django_db(transaction=True)
def test_one_key_at_the_same_time_is_one_evaluation():
    version = factories.make_version()
    same = wanted(version, idempotency_key="k")

    def one(_: int) -> int:
        try:
            return request_evaluation(version, same, None)[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1


def test_samples_of_another_project_are_refused(version):
    with pytest.raises(Refused, match="another project"):
        ask(version, samples=factories.make_input_set())


def test_a_board_of_another_project_is_refused(version):
    with pytest.raises(Refused, match="may not use"):
        ask(version, board=factories.make_board(factories.make_project()))


def test_a_board_of_another_platform_is_refused(version):
    with pytest.raises(Refused, match="platform"):
        ask(version, board=factories.make_board(version.project), recipe=RecipeSettings(platform="rv1109"))


def test_a_sample_beyond_the_last_is_refused(version):
    with pytest.raises(Refused, match="less than 4"):
        ask(version, sample=4)


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        ([Outcome.PASS, Outcome.PASS], Outcome.PASS),
        ([Outcome.PASS, Outcome.CANNOT_TELL], Outcome.CANNOT_TELL),
        ([Outcome.CANNOT_TELL, Outcome.FAIL], Outcome.FAIL),
        ([Outcome.FAIL, Outcome.PASS], Outcome.FAIL),
    ],
)
def test_an_evaluation_is_as_good_as_its_worst_leg(project, outcomes, worst):
    evaluation = factories.make_evaluation(factories.make_version(factories.make_model(project), ["a", "b"]))
    for leg, outcome in zip(evaluation.legs.all(), outcomes, strict=True):
        type(leg).objects.filter(pk=leg.pk).update(outcome=outcome)
    assert Evaluation.objects.get().outcome == worst


def test_an_evaluation_under_way_has_no_outcome(project):
    assert factories.make_evaluation(ended=False).outcome is None


def test_a_float_build_of_what_nothing_can_run_says_that_nothing_was_compared(version):
    leg = factories.make_evaluation().legs.get()
    artifact = leg.conversion.artifact
    artifact.framework_by = FrameworkBy.TOOLKIT
    artifact.save()
    leg.conversion.recipe.settings |= {"toolkit": "rknn1", "dtype": "float"}
    judged = judge_leg(leg)
    assert "nothing was compared before the board" in judged.sentence
