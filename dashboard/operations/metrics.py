"""Figures for Prometheus, read from the database at every scrape: no process keeps counters of its own."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dashboard import files
from dashboard.boards.models import Board, BoardState, Run
from dashboard.conversions.models import Conversion
from dashboard.jobs.models import Heartbeat, Job, State, kinds
from dashboard.layers.models import Comparison
from dashboard.registration.models import Probe
from dashboard.registry.models import Inspection
from dashboard.telemetry.sites import site_states

SILENT = timedelta(hours=1)  # processes not heard of for longer are history, not news


def exposition() -> bytes:
    """All figures in Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures())
    return generate_latest(registry)


class Figures(Collector):
    """Jobs, queues, boards, processes and disk. Every question is one query over an index."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing beforehand: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _jobs()
        yield _oldest()
        yield _boards()
        yield _site_workers()
        yield _heartbeats()
        yield GaugeMetricFamily("layerwise_free_bytes", "Free bytes of the file store.", files.free_bytes())


def _jobs() -> GaugeMetricFamily:
    family = GaugeMetricFamily("layerwise_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for kind in kinds():
        counts = dict(kind.objects.order_by().values_list("state").annotate(number=Count("pk")))
        for state in State.values:
            family.add_metric([kind.kind, state], counts.get(state, 0))
    return family


def _oldest() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "layerwise_oldest_queued_seconds", "Age of the oldest queued job of a queue.", labels=["queue"]
    )
    now = timezone.now()
    for queue, since in _queued_since():
        family.add_metric([queue], max((now - since).total_seconds(), 0))
    return family


def _queued_since() -> Iterator[tuple[str, datetime]]:
    """The queues that hold jobs, each with the time of its oldest one."""
    plain: list[tuple[str, type[Job]]] = [("inspect", Inspection), ("compare", Comparison)]
    for queue, kind in plain:
        since = kind.objects.filter(state=State.QUEUED).aggregate(since=Min("created_at"))["since"]
        if since:
            yield queue, since
    for toolkit, since in _grouped(Conversion, KeyTextTransform("toolkit", "recipe__settings")):
        yield f"convert.{toolkit}", since
    for site, since in _oldest_of_sites().items():
        yield f"boards.{site}", since


def _oldest_of_sites() -> dict[str, datetime]:
    """Runs and probes wait in the same queues."""
    oldest = dict(_grouped(Run, F("site")))
    for site, since in _grouped(Probe, F("site")):
        oldest[site] = min(since, oldest.get(site, since))
    return oldest


def _grouped(kind: type[Job], by: Any) -> Iterator[tuple[str, datetime]]:
    queued = kind.objects.filter(state=State.QUEUED).order_by()
    return iter(queued.values_list(by).annotate(since=Min("created_at")))


def _boards() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "layerwise_boards", "Boards by state; busy ones are ready too.", labels=["state"]
    )
    counts = Board.objects.aggregate(
        busy=Count("pk", filter=Q(run__isnull=False) | ~Q(held_by="")),
        **{state: Count("pk", filter=Q(state=state)) for state in BoardState.values},
    )
    for state, number in counts.items():
        family.add_metric([state], number)
    return family


def _site_workers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "layerwise_site_workers",
        "Living workers of a site that has boards; 0: its runs wait.",
        labels=["site"],
    )
    for state in site_states():
        family.add_metric([state.name], len(state.workers))
    return family


def _heartbeats() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "layerwise_heartbeat_age_seconds", "Since a process was last heard of.", labels=["role", "name"]
    )
    now = timezone.now()
    for beat in Heartbeat.objects.filter(at__gte=now - SILENT).order_by("role", "name"):
        family.add_metric([beat.role, beat.name], max((now - beat.at).total_seconds(), 0))
    return family
