"""Sites (labs), their workers and their boards: which site has nobody who could reach its boards, and since when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from dashboard.boards.models import Board, BoardState
from dashboard.jobs.models import Heartbeat
from dashboard.jobs.services import alive
from dashboard.telemetry.models import SiteSeen

PREFIX = "boards."  # of the queue that a site's workers serve


@dataclass(frozen=True)
class SiteState:
    """A site: the names of its living workers, its boards, how many of them are in service, and, without a worker,
    when one was last known to live (None: never)."""

    name: str
    workers: tuple[str, ...]
    boards: int
    ready: int
    seen_at: datetime | None

    @property
    def is_served(self) -> bool:
        return bool(self.workers)

    @property
    def says(self) -> str:
        """What is wrong, for people; empty when nothing is."""
        return "" if self.is_served else missing_worker(self.name, self.seen_at)


def missing_worker(site: str, seen_at: datetime | None) -> str:
    """The sentence about a site that nobody serves."""
    if seen_at is None:
        return f"no worker at site {site}, and none has been seen there yet"
    return f"no worker at site {site} since {seen_at:%Y-%m-%d %H:%M:%S}"


def workers_by_site() -> dict[str, list[str]]:
    """The names of the living workers of each site; one query."""
    found: dict[str, list[str]] = {}
    for worker in alive("worker").order_by("name"):
        for site in _sites_of(worker):
            found.setdefault(site, []).append(worker.name)
    return found


def seen_at(sites: Collection[str]) -> dict[str, datetime]:
    """When a worker of each of these sites was last known to live; one query."""
    return dict(SiteSeen.objects.filter(site__in=sites).values_list("site", "at"))


def site_states(boards: QuerySet[Board] | None = None) -> list[SiteState]:
    """Every site that has a board (of these, if given), by name; three queries."""
    rows = Board.objects.all() if boards is None else Board.objects.filter(pk__in=boards.values("pk"))
    counted = (
        rows.order_by("site")
        .values("site")
        .annotate(boards=Count("pk"), ready=Count("pk", filter=Q(state=BoardState.READY)))
    )
    found, workers = list(counted), workers_by_site()
    seen = seen_at([row["site"] for row in found])
    return [
        SiteState(
            row["site"],
            tuple(workers.get(row["site"], ())),
            row["boards"],
            row["ready"],
            seen.get(row["site"]),
        )
        for row in found
    ]


def state_of(site: str) -> SiteState:
    """One site."""
    found = site_states(Board.objects.filter(site=site))
    return found[0] if found else SiteState(site, (), 0, 0, None)


def note_sites() -> None:
    """Note when a worker of each site was last known to live; done by the dispatcher at every sweep."""
    for site, at in _last_beats().items():
        if not SiteSeen.objects.filter(site=site, at__lt=at).update(at=at):
            SiteSeen.objects.get_or_create(site=site, defaults={"at": at})


def _last_beats() -> dict[str, datetime]:
    beats: dict[str, datetime] = {}
    for worker in alive("worker").order_by("at"):
        beats |= {site[:40]: worker.at for site in _sites_of(worker)}
    return beats


def _sites_of(worker: Heartbeat) -> list[str]:
    return [str(queue)[len(PREFIX) :] for queue in worker.queues if str(queue).startswith(PREFIX)]
