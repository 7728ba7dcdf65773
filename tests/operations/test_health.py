"""/healthz and /readyz: what they ask, what they say to whom, and that a dead Redis cannot hang them."""

import socket
import subprocess
import threading
import time

import pytest
from django.test import Client

from dashboard.jobs.models import Heartbeat
from dashboard.jobs.services import beat, gone
from dashboard.supervisor.redis_server import NoRedis, answers, embedded
from dashboard.telemetry.sites import note_sites
from tests import factories

QUEUES = ["inspect", "compare", "convert.reference", "convert.ready"]


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def deaf_redis(settings):
    """Something that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """A real Redis of this module."""
    try:
        redis = embedded(tmp_path_factory.mktemp("redis"))
    except NoRedis as error:
        pytest.skip(str(error))
    with subprocess.Popen(redis.service.program, stdout=subprocess.DEVNULL) as process:
        ends = time.monotonic() + 20
        while not answers(redis.url) and time.monotonic() < ends:
            time.sleep(0.05)
        yield redis.url
        process.terminate()


@pytest.fixture
def live_redis(settings, redis_url):
    settings.REDIS_URL = redis_url


@pytest.fixture
def babbling(settings):
    """Something that is no Redis and answers everything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        thread = threading.Thread(target=_babble, args=(server,), daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _babble(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            while connection.recv(4096):
                connection.sendall(b"+HELLO\r\n$5\r\n")


def everything_lives() -> None:
    beat("d1", "dispatcher")
    beat("w1", "worker", QUEUES)


def test_health_asks_no_database(client):
    assert client.get("/healthz").json() == {"alive": True}


@pytest.mark.django_db
def test_a_site_with_everything_is_ready(client, live_redis):
    everything_lives()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


def missing(client: Client) -> list[str]:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    return [name for name, check in answer.json()["checks"].items() if not check["ok"]]


@pytest.mark.django_db
def test_no_dispatcher_is_not_ready(client, live_redis):
    beat("w1", "worker", QUEUES)
    assert missing(client) == ["dispatcher"]


@pytest.mark.django_db
def test_a_dispatcher_that_fell_silent_is_not_there(client, live_redis):
    everything_lives()
    Heartbeat.objects.filter(role="dispatcher").update(at="2020-01-01T00:00:00Z")
    assert missing(client) == ["dispatcher"]


@pytest.mark.django_db
@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_that_nobody_serves_is_not_ready(client, live_redis, queue):
    beat("d1", "dispatcher")
    beat("w1", "worker", [one for one in QUEUES if one != queue])
    assert missing(client) == ["workers"]


@pytest.mark.django_db
def test_a_boards_site_needs_a_worker(client, live_redis):
    everything_lives()
    factories.make_board(site="lab-2")
    assert "no worker at site lab-2" in client.get("/readyz").json()["checks"]["sites"]["says"]


@pytest.mark.django_db
def test_a_lab_without_its_worker_keeps_the_site_from_nothing(client, live_redis):
    everything_lives()
    factories.make_board(site="lab-2")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["sites"]["ok"]) == (200, False)


@pytest.mark.django_db
def test_it_is_told_since_when_a_lab_has_no_worker(client, live_redis):
    everything_lives()
    factories.make_board(site="lab-2")
    beat("w2", "worker", ["boards.lab-2"])
    note_sites()
    gone("w2")
    assert "no worker at site lab-2 since 20" in client.get("/readyz").json()["checks"]["sites"]["says"]


@pytest.mark.django_db
def test_sites_are_told_with_their_workers_and_boards(client, live_redis):
    everything_lives()
    factories.make_board(site="lab-2")
    beat("w2", "worker", ["boards.lab-2"])
    [site] = client.get("/readyz").json()["sites"]
    assert (site["site"], site["workers"], site["boards"], site["boards_in_service"]) == (
        "lab-2",
        ["w2"],
        1,
        1,
    )


@pytest.mark.django_db
def test_strangers_are_told_of_no_site(settings):
    factories.make_board(site="lab-2")
    assert "lab-2" not in Client(REMOTE_ADDR="203.0.113.9").get("/readyz").content.decode()


@pytest.mark.django_db
def test_two_workers_serve_the_queues_together(client, live_redis):
    beat("d1", "dispatcher")
    beat("w1", "worker", QUEUES[:1])
    beat("w2", "worker", QUEUES[1:])
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_a_full_disk_is_not_ready(client, live_redis, settings):
    everything_lives()
    settings.MIN_FREE_BYTES = 1 << 62
    assert missing(client) == ["disk"]


@pytest.mark.django_db
def test_a_redis_that_is_away_is_not_ready(client, settings):
    everything_lives()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    assert missing(client) == ["redis"]


@pytest.mark.django_db
def test_a_redis_that_never_answers_holds_nobody_up(client, deaf_redis):
    began = time.monotonic()
    assert "redis" in missing(client)
    assert time.monotonic() - began < 4


@pytest.mark.django_db
def test_something_else_at_the_address_of_redis_is_not_ready(client, babbling):
    everything_lives()
    assert missing(client) == ["redis"]


@pytest.mark.django_db
def test_a_redis_address_that_is_nonsense_is_not_ready(client, settings):
    everything_lives()
    settings.REDIS_URL = "nonsense"
    assert missing(client) == ["redis"]


@pytest.mark.django_db
def test_strangers_are_not_told_what_is_wrong(settings):
    settings.REDIS_URL = "redis://:hidden@127.0.0.1:1/0"
    text = Client(REMOTE_ADDR="203.0.113.9").get("/readyz").content.decode()
    assert "says" not in text


@pytest.mark.django_db
def test_nobody_is_told_the_password_of_redis(client, settings):
    settings.REDIS_URL = "redis://:hidden@127.0.0.1:1/0"
    assert "hidden" not in client.get("/readyz").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_change_nothing(client, path):
    assert client.post(path).status_code == 405
