"""Scores as JSON and as CSV that a spreadsheet may open without running anything in it."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from dashboard.layers.models import LayerScore

COLUMNS = [field.name for field in LayerScore._meta.concrete_fields if field.name not in {"id", "comparison"}]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class ScoreSerializer(serializers.ModelSerializer[LayerScore]):
    """How far one layer of the candidate is from its partner; null where a number is not finite (see `flags`)."""

    shape = serializers.ListField(child=serializers.IntegerField())
    flags = serializers.DictField()

    class Meta:
        model = LayerScore
        fields = COLUMNS


def csv_lines(rows: QuerySet[Any]) -> Iterator[str]:
    """A heading and one line per row."""
    yield _line(COLUMNS)
    for row in rows.values_list(*COLUMNS).iterator(500):
        yield _line([safe_cell(value) for value in row])


def safe_cell(value: Any) -> str:
    """The cell's text. Numbers stay numbers; a text that begins like a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
