"""`/api/v1/sources/<id>/lint/`: what a toolkit will probably do with each layer of a source."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from dashboard.api.parsing import FlatJSONParser
from dashboard.api.reach import found
from dashboard.lint.built import Built, built_of
from dashboard.lint.correcting import seen_in_build
from dashboard.lint.evidence import evidence_of
from dashboard.lint.findings import Counts, Finding
from dashboard.lint.services import Linted, graphs_of, linted
from dashboard.lint.targets import UnknownTarget, exact_target, usual_target
from dashboard.registry.models import Source

MOST_FINDINGS = 2000
WORDS = [OpenApiParameter(name, str) for name in ("toolkit", "platform", "dtype")]


class ReferenceSerializer(serializers.Serializer[Any]):
    """Where a fact stands; `kind` is vendor, field, tried or reasoned."""

    document = serializers.CharField()
    section = serializers.CharField()
    kind = serializers.CharField()


class FindingSerializer(serializers.Serializer[Finding]):
    """A finding; `layer` is empty for one about the whole file, `corrected` what the rules alone would say."""

    code = serializers.CharField()
    severity = serializers.CharField()
    layer = serializers.CharField()
    op = serializers.CharField()
    text = serializers.CharField()
    advice = serializers.CharField()
    other_route = serializers.CharField()
    measured = serializers.CharField()
    corrected = serializers.CharField()
    references = ReferenceSerializer(many=True)


class TargetSerializer(serializers.Serializer[Any]):
    """What the source would be converted for."""

    toolkit = serializers.CharField()
    platform = serializers.CharField()
    dtype = serializers.CharField()


class CountsSerializer(serializers.Serializer[Counts]):
    """Findings by severity, those that are left out included."""

    error = serializers.IntegerField()
    warning = serializers.IntegerField()
    note = serializers.IntegerField()


class LintSerializer(serializers.Serializer[Any]):
    """`id` is the source's; `layers` is null and `why` tells the reason while its layers are not known; `conversion`
    is the newest one of this file for this target, whose build the findings were held against."""

    id = serializers.IntegerField()
    target = TargetSerializer()
    layers = serializers.IntegerField(allow_null=True)
    why = serializers.CharField()
    conversion = serializers.IntegerField(allow_null=True)
    counts = CountsSerializer()
    findings = FindingSerializer(many=True)
    left_out = serializers.IntegerField()


class SourceLint(GenericViewSet[Source]):
    """The findings of one source."""

    queryset = Source.objects.select_related("version__model__project", "inspection").defer("inspection__log")
    serializer_class = LintSerializer
    parser_classes = [FlatJSONParser]
    filter_backends = []
    metadata_class = None
    pagination_class = None

    @extend_schema(parameters=WORDS, responses=LintSerializer)
    def lint(self, request: Request, pk: int) -> Response:
        """What is probably refused, wrong or slow; by default for what the model was last evaluated for."""
        source = found(self.get_queryset(), request, pk, "version__model__project")
        try:
            target = exact_target(request.query_params, usual_target(source.version))
        except UnknownTarget as error:
            raise ValidationError({"target": [str(error)]}) from error
        graph = graphs_of([source]).get(source.pk)
        mine = linted(source, graph, target, evidence_of(source.project))
        return Response(LintSerializer(_told(mine, built_of(source, target))).data)


def _told(mine: Linted, built: Built | None) -> dict[str, Any]:
    findings = seen_in_build(mine.findings, built) if built else list(mine.findings)
    return {
        "id": mine.source.pk,
        "target": mine.target,
        "layers": len(mine.graph.nodes) if mine.graph else None,
        "why": mine.why,
        "conversion": built.conversion if built else None,
        "counts": Counts.of(findings),
        "findings": findings[:MOST_FINDINGS],
        "left_out": max(0, len(findings) - MOST_FINDINGS),
    }
