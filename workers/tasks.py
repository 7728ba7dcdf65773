"""Every Celery task, a few lines each: a message is a row's id, the row says whether there is anything to do."""

from typing import Any

from celery.signals import (
    celeryd_after_setup,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.db import close_old_connections

from dashboard.boards.models import Run
from dashboard.celery import app
from dashboard.conversions.models import Conversion
from dashboard.health.models import HealthCheck, PowerCycle, TwinCheck
from dashboard.imports.models import Import
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.registration.models import Probe
from dashboard.registry.models import Inspection
from similarity import fused
from workers import offering, presence, serving, stopping
from workers.child import isolation
from workers.lifecycle import work
from workers.link.bundle import agent_bundle
from workers.steps.check import check
from workers.steps.compare import compare
from workers.steps.convert import convert
from workers.steps.imports import import_
from workers.steps.inspect import inspect
from workers.steps.power import power
from workers.steps.probe import probe
from workers.steps.twin import twin


def row(kind: type[Job], pk: int) -> Any:
    """The job's row with what its step reads, or None when it was deleted meanwhile."""
    close_old_connections()
    return kind.objects.filter(pk=pk).first()


@app.task(name=Inspection.task)
def inspect_task(pk: int) -> None:
    if job := row(Inspection, pk):
        work(job, inspect)


@app.task(name=Import.task)
def import_task(pk: int) -> None:
    if job := row(Import, pk):
        work(job, import_)


@app.task(name=Conversion.task)
def convert_task(pk: int) -> None:
    job = row(Conversion, pk)
    if job and offering.is_for_us(job):
        work(job, convert)
    elif job:
        offering.pass_on(job, presence.name())


@app.task(name=Comparison.task)
def compare_task(pk: int) -> None:
    if job := row(Comparison, pk):
        work(job, compare)


@app.task(name=Run.task)
def run_task(pk: int) -> None:
    if told := row(Run, pk):
        serving.serve(told)


@app.task(name=Probe.task)
def probe_task(pk: int) -> None:
    if job := row(Probe, pk):
        work(job, probe)


@app.task(name=HealthCheck.task)
def check_task(pk: int) -> None:
    if job := row(HealthCheck, pk):
        work(job, check)


@app.task(name=TwinCheck.task)
def twin_task(pk: int) -> None:
    if job := row(TwinCheck, pk):
        work(job, twin)


@app.task(name=PowerCycle.task)
def power_task(pk: int) -> None:
    if job := row(PowerCycle, pk):
        work(job, power)


@worker_init.connect
def prepare(**_: Any) -> None:
    """What every pool process would find out by itself: done once, before they are forked."""
    isolation()
    agent_bundle()
    fused.warm_up()


@celeryd_after_setup.connect
def settle(instance: Any, **_: Any) -> None:
    """Celery's moment for changing queues: behind -Q, and before processes are forked or messages taken."""
    offering.settle(instance.app.amqp.queues)


@worker_ready.connect
def announce(sender: Any, **_: Any) -> None:
    serving.await_stop()
    stopping.end_in_time()
    presence.announce(sorted(sender.app.amqp.queues.consume_from), sender.pool.num_processes)


@worker_shutting_down.connect
def let_go(**_: Any) -> None:
    serving.stop()


@worker_shutdown.connect
def leave(**_: Any) -> None:
    presence.leave()


@worker_process_init.connect
def end_with_parent(**_: Any) -> None:
    presence.end_with_parent()
