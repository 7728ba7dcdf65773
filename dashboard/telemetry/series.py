"""A board's readings over a span of time, few enough to draw: each reading, or the worst of each hour or day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from dashboard.boards.models import Board
from dashboard.telemetry.models import FingerprintChange, Reading

SPANS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31), "all": None}
MOST_POINTS = 600
MOST_MARKS = 20
HOURS_FOR = timedelta(days=24)  # of a longer span the days are shown
# what is bad when it is high, and what when it is low
WORST = {
    "temperature_c": Max,
    "load": Max,
    "mem_available_kb": Min,
    "disk_free_bytes": Min,
    "npu_hz": Min,
    "cpu_hz": Min,
    "ddr_hz": Min,
}


@dataclass(frozen=True)
class Point:
    """Readings of one moment, hour or day; `run` is the one that a single reading belongs to."""

    at: datetime
    values: Mapping[str, float | None]
    run: int | None
    runs: int


@dataclass(frozen=True)
class Series:
    """The points, oldest first; `of` is what each stands for: "reading", "hour" or "day"."""

    points: tuple[Point, ...]
    of: str
    changed: tuple[datetime, ...]  # when the fingerprint changed in a way that matters

    def has(self, field: str) -> bool:
        """Did the board ever tell this?"""
        return any(point.values[field] is not None for point in self.points)


def series_of(board: Board, span: str) -> Series:
    """The board's readings of the span (a name in SPANS); three queries."""
    length = SPANS[span]
    readings = Reading.objects.filter(board=board)
    changes = FingerprintChange.objects.filter(board=board, matters=True)
    if length:
        since = timezone.now() - length
        readings, changes = readings.filter(at__gte=since), changes.filter(at__gte=since)
    marks = tuple(changes.order_by("-at").values_list("at", flat=True).distinct()[:MOST_MARKS])
    if readings[: MOST_POINTS + 1].count() <= MOST_POINTS:
        return Series(tuple(_each(readings)), "reading", marks)
    by_hour = length is not None and length <= HOURS_FOR
    return Series(tuple(_worst(readings, by_hour)), "hour" if by_hour else "day", marks)


def _each(readings: Any) -> list[Point]:
    rows = readings.order_by("at").values("at", "run", *WORST)
    return [
        Point(row["at"], {name: row[name] for name in WORST}, row["run"], bool(row["run"])) for row in rows
    ]


def _worst(readings: Any, by_hour: bool) -> list[Point]:
    """The newest hours or days, each with its highest temperature and load and the lowest of all else."""
    trunc = TruncHour("at") if by_hour else TruncDay("at")
    rows = (
        readings.annotate(slot=trunc)
        .values("slot")
        .annotate(
            runs=Count("run", distinct=True), **{f"worst_{name}": how(name) for name, how in WORST.items()}
        )
        .order_by("-slot")[:MOST_POINTS]
    )
    return [
        Point(row["slot"], {name: row[f"worst_{name}"] for name in WORST}, None, row["runs"])
        for row in reversed(rows)
    ]
