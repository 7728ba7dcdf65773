"""Whose turn it is: among the projects that wait, the one that has used the site's boards least lately.

Used is board time in seconds; it decays by half every five minutes, so that a project can wait nothing out and save
nothing up for long. A board that a project holds counts at least as long as its runs usually take, so that fifty boards
that become free in one moment do not all go to the same project.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from dashboard.boards.models import HEALTH_RANK, Board, Run, Usage

HALF_LIFE_S = 300.0
UNKNOWN_S = 10.0  # what a run is taken to need while none of its project has ended here
MEMORY = 0.2  # the weight of the newest run in `typical_s`


def decayed(seconds: float, since: datetime, now: datetime) -> float:
    """What is left of `seconds` that were counted up to `since`."""
    return float(seconds * 0.5 ** (max(0.0, (now - since).total_seconds()) / HALF_LIFE_S))


def standings(site: str, projects: Collection[int]) -> dict[int, float]:
    """Board seconds of each project at the site, decayed, with what it holds now. Two queries."""
    now = timezone.now()
    used, typical = dict.fromkeys(projects, 0.0), dict.fromkeys(projects, UNKNOWN_S)
    for row in Usage.objects.filter(site=site, project__in=projects):
        used[row.project_id] = decayed(row.seconds, row.at, now)
        typical[row.project_id] = row.typical_s or UNKNOWN_S
    for project, started_at in _held(site, projects):
        used[project] += max((now - started_at).total_seconds(), typical[project])
    return used


def _held(site: str, projects: Collection[int]) -> Iterable[tuple[int, Any]]:
    held = Board.objects.filter(site=site, run__project__in=projects, run__rank__lt=HEALTH_RANK)
    return held.order_by().values_list("run__project_id", "run__started_at")


def charge_later(run: Run) -> None:
    """Count what the run used once its end is stored: the row that many runs share is locked for a moment only."""
    if not run.is_health and run.started_at:
        until = run.ended_at or timezone.now()
        seconds = max(0.0, (until - run.started_at).total_seconds())
        transaction.on_commit(lambda: charge(run.project_id, run.site, seconds), robust=True)


@transaction.atomic
def charge(project: int, site: str, seconds: float) -> None:
    """Add board time to what the project has used here."""
    mine, now = Usage.objects.filter(project=project, site=site), timezone.now()
    if (usage := mine.select_for_update(no_key=True).first()) is None:
        Usage.objects.get_or_create(project_id=project, site=site)
        usage = mine.select_for_update(no_key=True).get()
    usage.seconds = decayed(usage.seconds, usage.at, now) + seconds
    usage.typical_s += (seconds - usage.typical_s) * (MEMORY if usage.typical_s else 1.0)
    usage.at = now
    usage.save(update_fields=["seconds", "typical_s", "at"])
