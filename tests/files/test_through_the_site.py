"""What people and jobs see of a bucket: files by permission as before, and a word when it is away."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from dashboard import files
from dashboard.env import Bucket
from dashboard.jobs.models import State
from dashboard.operations.health import readiness
from dashboard.registry.models import Source
from dashboard.supervisor.sockets import free_port
from tests import factories
from workers.lifecycle import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(bucket: Bucket) -> Source:
    return factories.make_version().sources.get()


@pytest.fixture
def client(source: Source) -> Client:
    """A browser in the hands of an admin of the source's project."""
    client = Client()
    client.force_login(factories.owner_of(source.version.project))
    return client


@pytest.fixture
def elsewhere(settings: Settings, source: Source) -> None:
    """This machine has no file in its cache."""
    for path in Path(settings.STORE_CACHE_DIR).glob("??/*"):
        path.unlink()


@pytest.fixture
def away(settings: Settings, bucket: Bucket, elsewhere: None) -> None:
    settings.STORE_BUCKET = replace(bucket, endpoint=f"http://127.0.0.1:{free_port()}")


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.mark.usefixtures("elsewhere")
def test_a_member_downloads_a_file(client: Client, source: Source) -> None:
    answer = client.get(f"/sources/{source.pk}/file/")
    assert hashlib.sha256(body(answer)).hexdigest() == source.sha256


@pytest.mark.usefixtures("elsewhere")
def test_a_download_tells_its_length(client: Client, source: Source) -> None:
    answer = client.get(f"/sources/{source.pk}/file/")
    assert int(answer.headers["Content-Length"]) == len(body(answer))


def test_a_stranger_finds_nothing(source: Source) -> None:
    stranger = Client()
    stranger.force_login(factories.make_user())
    assert stranger.get(f"/sources/{source.pk}/file/").status_code == 404


@pytest.mark.usefixtures("away")
def test_a_download_while_the_store_is_away_says_so(client: Client, source: Source) -> None:
    answer = client.get(f"/sources/{source.pk}/file/")
    assert (answer.status_code, "file store does not answer" in answer.content.decode()) == (503, True)


@pytest.mark.usefixtures("away")
def test_the_api_says_so_in_its_shape(client: Client, source: Source) -> None:
    answer = client.get(f"/api/v1/sources/{source.pk}/file/")
    assert (answer.status_code, answer.json()["code"]) == (503, "system:store-away")


@pytest.mark.usefixtures("away")
def test_an_upload_while_the_store_is_away_is_refused(client: Client, source: Source) -> None:
    upload = {"model": source.version.model_id, "sources": [SimpleUploadedFile("x.onnx", b"new bytes")]}
    answer = client.post("/api/v1/versions/", upload)
    assert (answer.status_code, answer.json()["code"]) == (503, "system:store-away")


def of_the_store() -> tuple[bool, str]:
    return next((check.ok, check.says) for check in readiness() if check.name == "store")


@pytest.mark.usefixtures("bucket")
def test_a_site_with_its_store_is_ready() -> None:
    assert of_the_store() == (True, "answers")


@pytest.mark.usefixtures("away")
def test_a_site_without_its_store_is_not() -> None:
    assert of_the_store()[0] is False


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("bucket")
def test_a_job_that_finds_the_store_away_is_put_back() -> None:
    job = factories.make_version(inspected=False).sources.get().inspection

    def step(job: Any, lease: Any) -> Any:
        raise files.StoreAway("GetObject: 503 Slow down")

    work(job, step)
    job.refresh_from_db()
    assert (job.state, job.detail.split(":")[:2]) == (State.QUEUED, ["system", "store-away"])
