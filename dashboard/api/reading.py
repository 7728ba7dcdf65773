"""What all resources share: lists and details of rows in reach, narrowed by whole numbers or words in the query."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from dashboard.api.parsing import FlatJSONParser
from dashboard.api.reach import within

M = TypeVar("M", bound=Model)
WORD_CHARACTERS = 80


class Narrowing(BaseFilterBackend):
    """`?version=3` and the like: what the view's `narrowing` names, `int` for ids and `str` for words."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        for name, (lookup, kind) in view.narrowing.items():
            text = request.query_params.get(name)
            if text is not None:
                queryset = queryset.filter(**{lookup: _parse(name, text, kind)})
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """For the OpenAPI document."""
        types = {int: "integer", str: "string"}
        return [
            {"name": name, "in": "query", "required": False, "schema": {"type": types[kind]}}
            for name, (_, kind) in view.narrowing.items()
        ]


class Reading(ListModelMixin, RetrieveModelMixin, GenericViewSet[M]):
    """Lists and details of the rows that the caller may look at, newest first."""

    project_path: ClassVar[str] = "project"
    narrowing: ClassVar[Mapping[str, tuple[str, type]]] = {}
    detail_serializer_class: ClassVar[type[BaseSerializer[Any]] | None] = None
    filter_backends = [Narrowing]
    parser_classes = [FlatJSONParser]
    metadata_class = None  # OPTIONS would describe forms that nobody needs
    lookup_value_converter = "int"
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)

    def get_queryset(self) -> QuerySet[M]:
        return self.in_reach(super().get_queryset())

    def in_reach(self, rows: QuerySet[M]) -> QuerySet[M]:
        """Those of the rows that the caller may look at, in order."""
        if getattr(self, "swagger_fake_view", False):  # the OpenAPI document is made without a caller
            return rows.none()
        return self.reached(within(rows, self.request, self.project_path)).order_by(*self.ordering)

    def reached(self, rows: QuerySet[M]) -> QuerySet[M]:
        """A last word on the rows; resources that must drop doubles do it here."""
        return rows

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        if self.detail_serializer_class and self.action == "retrieve":
            return self.detail_serializer_class
        return super().get_serializer_class()


def _parse(name: str, text: str, kind: type) -> int | str:
    if kind is str:
        if len(text) > WORD_CHARACTERS or not text.isprintable():
            raise ValidationError({name: ["This is not a word that anything is called by."]})
        return text
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValidationError({name: ["A whole number is needed."]})
    return int(text)
