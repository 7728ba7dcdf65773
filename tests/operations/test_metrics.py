"""/metrics: the figures are those of the database, and only trusted callers get them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from dashboard.boards.models import BoardState, Run
from dashboard.boards.services import set_state
from dashboard.jobs.services import beat
from dashboard.layers.services import request_comparison
from tests import factories

pytestmark = pytest.mark.django_db
FAR_AWAY = "203.0.113.9"


def samples() -> dict[tuple[str, ...], float]:
    text = Client().get("/metrics").content.decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_jobs_are_counted_by_kind_and_state():
    factories.fail(factories.make_queued_run())
    factories.make_queued_run()
    figures = samples()
    assert (figures["layerwise_jobs", "run", "failed"], figures["layerwise_jobs", "run", "queued"]) == (1, 1)


def test_a_state_that_no_job_is_in_is_a_zero():
    assert samples()["layerwise_jobs", "run", "running"] == 0


@pytest.mark.parametrize("queue", ["inspect", "convert.reference", "boards.lab-7", "compare"])
def test_a_queue_tells_how_old_its_oldest_job_is(queue):
    project = factories.make_project()
    run = factories.make_queued_run(
        factories.make_artifact(
            factories.make_conversion(factories.make_version(factories.make_model(project)))
        ),
        factories.make_board(project, site="lab-7"),
    )
    job = {
        "inspect": lambda: factories.make_input_set(project, inspected=False).inspection,
        "convert.reference": lambda: factories.make_conversion(
            factories.make_version(factories.make_model(project))
        ),
        "boards.lab-7": lambda: run,
        "compare": lambda: _queued_comparison(project),
    }[queue]()
    type(job).objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(seconds=1000))
    assert 1000 <= samples()["layerwise_oldest_queued_seconds", queue] < 1060


def _queued_comparison(project):
    return request_comparison(factories.make_dump(project), factories.make_dump(project))


def test_boards_are_counted_by_state():
    set_state(factories.make_board(), BoardState.PAUSED)
    factories.make_board()
    figures = samples()
    assert (figures["layerwise_boards", "paused"], figures["layerwise_boards", "ready"]) == (1, 1)


def test_a_board_that_a_run_holds_is_busy():
    run: Run = factories.begin(factories.make_queued_run())
    run.hold(run.board)
    assert samples()["layerwise_boards", "busy"] == 1


def test_processes_tell_when_they_were_last_heard_of():
    beat("d1", "dispatcher")
    assert samples()["layerwise_heartbeat_age_seconds", "d1", "dispatcher"] < 60


def test_a_site_without_a_worker_is_a_zero():
    factories.make_board(site="lab-2")
    assert samples()["layerwise_site_workers", "lab-2"] == 0


def test_the_workers_of_a_site_are_counted():
    factories.make_board(site="lab-2")
    beat("w1", "worker", ["boards.lab-2", "compare"])
    assert samples()["layerwise_site_workers", "lab-2"] == 1


def test_free_bytes_are_told():
    assert samples()["layerwise_free_bytes",] > 0


def test_a_scrape_takes_few_queries_however_much_there_is():
    factories.make_evaluation(ended=False)
    with CaptureQueriesContext(connection) as few:
        samples()
    for _ in range(3):
        factories.make_evaluation(ended=False)
    with CaptureQueriesContext(connection) as more:
        samples()
    assert len(few) == len(more) == 19


def test_a_stranger_gets_nothing():
    assert Client(REMOTE_ADDR=FAR_AWAY).get("/metrics").status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_a_proxy_on_this_machine_is_not_this_machine(header):
    assert Client().get("/metrics", headers={header: FAR_AWAY}).status_code == 403


def test_the_token_opens_the_metrics(settings):
    settings.METRICS_TOKEN = "scrape-me"
    client = Client(REMOTE_ADDR=FAR_AWAY)
    assert client.get("/metrics", headers={"authorization": "Bearer scrape-me"}).status_code == 200


@pytest.mark.parametrize("text", ["Bearer wrong", "Bearer ", "Basic scrape-me", "scrape-me"])
def test_another_token_does_not(settings, text):
    settings.METRICS_TOKEN = "scrape-me"
    client = Client(REMOTE_ADDR=FAR_AWAY)
    assert client.get("/metrics", headers={"authorization": text}).status_code == 403


def test_without_a_configured_token_an_empty_one_opens_nothing(settings):
    settings.METRICS_TOKEN = ""
    client = Client(REMOTE_ADDR=FAR_AWAY)
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403


@pytest.mark.parametrize(("staff", "status"), [(True, 200), (False, 403)])
def test_signed_in_staff_gets_the_metrics(staff, status):
    client = Client(REMOTE_ADDR=FAR_AWAY)
    client.force_login(factories.make_user(is_staff=staff))
    assert client.get("/metrics").status_code == status
