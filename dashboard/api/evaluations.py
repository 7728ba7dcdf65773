"""`/api/v1/evaluations/`: ask for numbers about a version, poll, read the verdict of every leg, cancel."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.errors import Conflict
from dashboard.api.legs import LegSerializer, legs_with_jobs
from dashboard.api.reach import found, must_change
from dashboard.api.reading import Reading
from dashboard.api.recipes import RecipeField
from dashboard.api.simulated import leg_is_simulated
from dashboard.boards.labels import LABEL, MOST_ASKED
from dashboard.boards.models import Board
from dashboard.conversions.recipe import RecipeSettings
from dashboard.evaluations.demand import LEAST, MOST
from dashboard.evaluations.models import Evaluation, Outcome
from dashboard.evaluations.services import Wanted, cancel_evaluation, request_evaluation
from dashboard.registry.models import InputSet, ModelVersion

KEY = "Idempotency-Key"
KEY_CHARACTERS = 100


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    """What was asked for and what came of it; `outcome` is null until every leg has ended."""

    recipe = RecipeField(source="recipe.value", read_only=True)
    recipe_id = serializers.IntegerField(read_only=True)
    state = serializers.SerializerMethodField()
    outcome = serializers.SerializerMethodField()
    simulated = serializers.SerializerMethodField()
    labels = serializers.ListField(child=serializers.CharField(), read_only=True)
    legs = LegSerializer(many=True, read_only=True)

    class Meta:
        model = Evaluation
        fields = [
            "id",
            "project",
            "version",
            "recipe",
            "recipe_id",
            "calibration",
            "samples",
            "sample",
            "board",
            "iterations",
            "priority",
            "labels",
            "runtime_version",
            "sequence",
            "state",
            "outcome",
            "simulated",
            "legs",
            "created_at",
            "ended_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=["under way", "ended"]))
    def get_state(self, evaluation: Evaluation) -> str:
        return "ended" if evaluation.has_ended else "under way"

    @extend_schema_field(serializers.ChoiceField(choices=Outcome.choices, allow_null=True))
    def get_outcome(self, evaluation: Evaluation) -> str | None:
        return evaluation.outcome

    def get_simulated(self, evaluation: Evaluation) -> bool:
        return any(leg_is_simulated(leg) for leg in evaluation.legs.all())


class NewEvaluationSerializer(serializers.Serializer[Any]):
    """What an evaluation is asked with; without a board any suitable one is taken, if there is one.

    `calibration` is needed by every toolkit but `ready`, which runs a compiled file as it is and refuses one.
    """

    version = serializers.IntegerField(min_value=1)
    recipe = RecipeField(default=RecipeSettings)
    calibration = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    samples = serializers.IntegerField(min_value=1)
    sample = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)
    board = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    iterations = serializers.IntegerField(min_value=1, max_value=1000, default=20)
    priority = serializers.IntegerField(min_value=LEAST, max_value=MOST, default=0)
    labels = serializers.ListField(
        child=serializers.RegexField(f"^{LABEL.pattern}$"), max_length=MOST_ASKED, default=list
    )
    runtime_version = serializers.CharField(max_length=80, default="", allow_blank=True)
    sequence = serializers.BooleanField(default=False)


class Evaluations(Reading[Evaluation]):
    """Evaluations of versions."""

    queryset = Evaluation.objects.select_related("recipe", "board").prefetch_related(legs_with_jobs())
    serializer_class = EvaluationSerializer
    narrowing = {
        "project": ("project", int),
        "version": ("version", int),
        "model": ("version__model", int),
    }

    @extend_schema(
        request=NewEvaluationSerializer,
        parameters=[
            OpenApiParameter(KEY, str, "header", description="The same key gives the same evaluation.")
        ],
        responses={
            201: EvaluationSerializer,
            200: OpenApiResponse(EvaluationSerializer, "This key is known."),
        },
    )
    def create(self, request: Request) -> Response:
        """Ask for an evaluation of every source of a version."""
        asked = NewEvaluationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data, key = asked.validated_data, idempotency_key(request)
        version = found(
            ModelVersion.objects.select_related("model__project"), request, data["version"], "model__project"
        )
        must_change(version.project, request.user)
        wanted = _wanted(version, data, key)
        evaluation, new = request_evaluation(version, wanted, request.user)
        if not new and not _is_same(evaluation, version, wanted):
            raise Conflict(f"This {KEY} belongs to another request. Use a new key.")
        return Response(self._shown(evaluation), 201 if new else status.HTTP_200_OK)

    @extend_schema(request=None, responses=EvaluationSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def cancel(self, request: Request, pk: int) -> Response:
        """Cancel what is under way; an evaluation that has ended stays as it is."""
        evaluation = self.get_object()
        must_change(evaluation.project, request.user)
        if not evaluation.has_ended:
            cancel_evaluation(evaluation, request.user)
        return Response(self._shown(evaluation))

    def _shown(self, evaluation: Evaluation) -> Any:
        return self.get_serializer(self.get_queryset().get(pk=evaluation.pk)).data


def idempotency_key(request: Request) -> str:
    """The header's text. Raises ValidationError for one that is too long or not printable."""
    key: str = request.headers.get(KEY, "")
    if len(key) > KEY_CHARACTERS or not key.isprintable():
        raise ValidationError({KEY: [f"At most {KEY_CHARACTERS} printable characters."]})
    return key


def _wanted(version: ModelVersion, data: dict[str, Any], key: str) -> Wanted:
    """The ids of the request as rows of the version's own project; others are unknown here."""
    sets = InputSet.objects.filter(project=version.project)
    boards = Board.objects.filter(projects=version.project)
    samples = _chosen(sets, "samples", data["samples"])
    return Wanted(
        recipe=data["recipe"],
        calibration=_calibration(sets, data, samples),
        samples=samples,
        sample=data["sample"],
        board=_chosen(boards, "board", data["board"]) if data["board"] else None,
        iterations=data["iterations"],
        priority=data["priority"],
        labels=tuple(data["labels"]),
        runtime_version=data["runtime_version"],
        sequence=data["sequence"],
        idempotency_key=key,
    )


def _calibration(sets: Any, data: dict[str, Any], samples: InputSet) -> InputSet:
    """The calibration set; of what nobody calibrates, the evaluation samples stand there."""
    if data["calibration"] is not None:
        calibration: InputSet = _chosen(sets, "calibration", data["calibration"])
        return calibration
    if data["recipe"].is_run_only:
        return samples
    raise ValidationError({"calibration": ["This field is required."]})


def _chosen(rows: Any, name: str, pk: int) -> Any:
    row = rows.filter(pk=pk).first()
    if row is None:
        raise ValidationError({name: [f"The version's project has none with the id {pk}."]})
    return row


def _is_same(evaluation: Evaluation, version: ModelVersion, wanted: Wanted) -> bool:
    asked = (version.pk, wanted.recipe.sha256, wanted.calibration.pk, wanted.samples.pk)
    stored = (
        evaluation.version_id,
        evaluation.recipe.sha256,
        evaluation.calibration_id,
        evaluation.samples_id,
    )
    board = wanted.board.pk if wanted.board else None
    names = ("sample", "iterations", "priority", "runtime_version", "sequence")
    rest = all(getattr(wanted, name) == getattr(evaluation, name) for name in names)
    place = (board, sorted(set(wanted.labels))) == (evaluation.board_id, evaluation.labels)
    return asked == stored and rest and place
