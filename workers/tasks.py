"""Every Celery task, a few lines each: a message is a row's id, the row says whether there is anything to do."""

from typing import Any

from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown
from django.db import close_old_connections

from dashboard.boards.models import Run
from dashboard.boards.services import claim_with_board
from dashboard.celery import app
from dashboard.conversions.models import Conversion
from dashboard.jobs.models import Job
from dashboard.layers.models import Comparison
from dashboard.registry.models import Inspection
from similarity import fused
from workers import presence
from workers.child import isolation
from workers.lifecycle import work
from workers.link.bundle import agent_bundle
from workers.steps.compare import compare
from workers.steps.convert import convert
from workers.steps.inspect import inspect
from workers.steps.run import run


def row(kind: type[Job], pk: int) -> Any:
    """The job's row with what its step reads, or None when it was deleted meanwhile."""
    close_old_connections()
    return kind.objects.filter(pk=pk).first()


@app.task(name=Inspection.task)
def inspect_task(pk: int) -> None:
    if job := row(Inspection, pk):
        work(job, inspect)


@app.task(name=Conversion.task)
def convert_task(pk: int) -> None:
    if job := row(Conversion, pk):
        work(job, convert)


@app.task(name=Comparison.task)
def compare_task(pk: int) -> None:
    if job := row(Comparison, pk):
        work(job, compare)


@app.task(name=Run.task)
def run_task(pk: int) -> None:
    if job := row(Run, pk):
        work(job, run, claim=claim_with_board)


@worker_init.connect
def prepare(**_: Any) -> None:
    """What every pool process would find out by itself: done once, before they are forked."""
    isolation()
    agent_bundle()
    fused.warm_up()


@worker_ready.connect
def announce(sender: Any, **_: Any) -> None:
    presence.announce(sorted(sender.app.amqp.queues.consume_from), sender.pool.num_processes)


@worker_shutdown.connect
def leave(**_: Any) -> None:
    presence.leave()


@worker_process_init.connect
def end_with_parent(**_: Any) -> None:
    presence.end_with_parent()
