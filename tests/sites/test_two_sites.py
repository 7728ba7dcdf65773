"""Two labs side by side: each runs its own boards' work, nobody reaches another's boards, and one may go away."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests

from dashboard.demo.client import Client
from tests import postgres
from tests.chaos.networks import Network, archive, pictures
from tests.chaos.processes import wait_until
from tests.sites.farm import LABS, Farm, redis_speaks_tls, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
PASSWORD = "correct horse battery"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    programs = postgres.programs()
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    if not redis_speaks_tls():
        pytest.skip("no redis-server with TLS (Debian: redis-server)")
    folder = tmp_path_factory.mktemp("farm")
    folder.chmod(0o755)
    with running(folder, programs) as farm:
        yield farm


@dataclass
class People:
    """A project with both labs' boards, whoever asks for it by the API, and what was asked for."""

    farm: Farm
    client: Client
    project: int
    calibration: int
    samples: int
    boards: dict[str, int]
    asked: int = 0

    def ask(self, lab: str) -> int:
        """Upload a network and ask for its evaluation on the lab's board; the evaluation's number."""
        self.asked += 1
        file = self.farm.folder / f"net{self.asked}.onnx"
        file.write_bytes(Network(self.asked, "direct").file())
        model = self.client.post("/models/", {"project": self.project, "name": f"net {self.asked}"})
        version = self.client.upload("/versions/", {"model": str(model["id"])}, {"source.direct": file})
        wanted = {
            "version": version["id"], "calibration": self.calibration, "samples": self.samples,
            "board": self.boards[lab], "iterations": 3,
        }  # fmt: skip
        return int(self.client.post("/evaluations/", wanted)["id"])

    def leg(self, evaluation: int) -> dict[str, Any]:
        return dict(self.client.get(f"/evaluations/{evaluation}/")["legs"][0])

    def has_ended(self, evaluation: int) -> bool:
        return self.client.get(f"/evaluations/{evaluation}/")["ended_at"] is not None

    def run_of(self, evaluation: int) -> dict[str, Any] | None:
        """The evaluation's run, None before there is one."""
        number = self.leg(evaluation)["run"]
        return dict(self.client.get(f"/runs/{number}/")) if number else None

    def site(self, name: str) -> dict[str, Any]:
        """What /readyz says of a site."""
        told = requests.get(f"{self.farm.url}/readyz", timeout=10).json()
        return next(one for one in told["sites"] if one["site"] == name)

    def page(self, path: str) -> str:
        """A page, as somebody in a browser sees it."""
        with requests.Session() as session:
            form = session.get(f"{self.farm.url}/sign-in/", timeout=10).text
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
            assert token
            login = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            session.post(f"{self.farm.url}/sign-in/", login, timeout=10)
            return session.get(f"{self.farm.url}{path}", timeout=10).text


@pytest.fixture(scope="module")
def people(farm: Farm) -> People:
    farm.manage("user", "add", "ann", "--password-stdin", input=PASSWORD)
    farm.manage("project", "add", "Farm", "--owner", "ann")
    for lab in farm.labs.values():
        farm.register(lab)
    token = farm.manage("token", "add", "farm", "ann", "--scope", "read", "--scope", "write").strip()
    client = Client(farm.url, token)
    assert wait_until(lambda: client.get("/toolkits/")["results"], 60), "the converter has not registered"
    project = client.get("/projects/")["results"][0]["id"]
    sets = {
        purpose: _input_set(client, project, purpose, farm.folder / f"{purpose}.zip")
        for purpose in ("calibration", "evaluation")
    }
    boards = {board["site"]: board["id"] for board in client.get("/boards/")["results"]}
    return People(farm, client, project, sets["calibration"], sets["evaluation"], boards)


def _input_set(client: Client, project: int, purpose: str, file: Path) -> int:
    file.write_bytes(archive(pictures(1, 2)))
    fields = {"project": str(project), "name": purpose, "purpose": purpose}
    return int(client.upload("/input-sets/", fields, {"file": file})["id"])


@pytest.fixture(scope="module")
def evaluated(people: People) -> dict[str, int]:
    """An evaluation on each lab's board, ended."""
    asked = {lab: people.ask(lab) for lab in LABS}
    assert wait_until(lambda: all(map(people.has_ended, asked.values())), PATIENCE_S, 0.5), people.leg(
        asked["lab-a"]
    )
    return asked


@pytest.mark.parametrize("lab", LABS)
def test_an_evaluation_runs_at_the_site_of_its_board(
    people: People, evaluated: dict[str, int], lab: str
) -> None:
    run = people.run_of(evaluated[lab])
    assert run is not None
    assert (run["site"], run["board"], run["state"]) == (lab, people.boards[lab], "succeeded")


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.usefixtures("evaluated")
def test_its_run_was_done_by_the_labs_own_worker(farm: Farm, lab: str) -> None:
    [(owner,)] = farm.ask_database(f"SELECT owner FROM boards_run WHERE site = '{lab}' ORDER BY id LIMIT 1")
    assert farm.labs[lab].inside.holds(int(str(owner).split(":")[1]))


@pytest.mark.parametrize("lab", LABS)
def test_it_comes_to_its_verdict(people: People, evaluated: dict[str, int], lab: str) -> None:
    assert people.leg(evaluated[lab])["outcome"] == "pass"


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_reaches_its_own_board(farm: Farm, lab: str) -> None:
    own = farm.labs[lab]
    assert own.inside.reaches(own.board_address, own.port)


@pytest.mark.parametrize(("lab", "other"), [LABS, LABS[::-1]])
def test_a_lab_does_not_reach_the_other_labs_board(farm: Farm, lab: str, other: str) -> None:
    theirs = farm.labs[other]
    assert not farm.labs[lab].inside.reaches(theirs.board_address, theirs.port)


@pytest.mark.parametrize("lab", LABS)
def test_the_centre_reaches_no_board(farm: Farm, lab: str) -> None:
    assert not farm.centre.reaches(farm.labs[lab].board_address, farm.labs[lab].port)


@pytest.mark.parametrize("lab", LABS)
def test_nobody_can_connect_to_a_labs_worker(farm: Farm, lab: str) -> None:
    assert farm.labs[lab].inside.listeners() == []


@pytest.mark.parametrize("lab", LABS)
def test_the_database_takes_a_lab_by_tls_only(farm: Farm, lab: str) -> None:
    plain = f"{farm.database(lab)}?sslmode=disable".replace("postgres://", "postgresql://")
    with farm.labs[lab].inside.entered(), pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(plain)


@pytest.mark.parametrize("lab", LABS)
def test_redis_takes_a_lab_by_tls_only(farm: Farm, lab: str) -> None:
    told = farm.environment(lab, farm.database(lab))["REDIS_URL"]
    plain = told.replace("rediss://", "redis://").split("?")[0]
    with farm.labs[lab].inside.entered(), pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(plain, socket_timeout=5).ping()


@pytest.mark.parametrize("table", ["auth_user", "django_session", "projects_apitoken"])
@pytest.mark.parametrize("lab", LABS)
def test_a_labs_role_reads_no_secret_of_people(farm: Farm, lab: str, table: str) -> None:
    role = lab.replace("-", "_")
    assert farm.ask_database(f"SELECT has_table_privilege('{role}', '{table}', 'SELECT')") == [(False,)]


@pytest.mark.usefixtures("evaluated")
@pytest.mark.parametrize("lab", LABS)
def test_the_files_of_a_run_came_through_the_store(farm: Farm, lab: str) -> None:
    cached = [path for path in (farm.folder / lab / "store-cache").glob("??/*") if path.is_file()]
    assert (len(cached) >= 2, (farm.folder / lab / "store").exists()) == (True, False)


@pytest.mark.parametrize("lab", LABS)
@pytest.mark.usefixtures("evaluated")
def test_readiness_knows_the_labs_worker(people: People, lab: str) -> None:
    site = people.site(lab)
    assert (len(site["workers"]), site["boards"], site["boards_in_service"]) == (1, 1, 1)


def test_a_lab_that_loses_its_worker_waits_and_goes_on_while_the_other_works(
    people: People, evaluated: dict[str, int]
) -> None:
    farm, gone = people.farm, people.farm.labs["lab-b"]
    gone.worker.end(signal.SIGKILL)
    waiting, going = people.ask("lab-b"), people.ask("lab-a")

    # the other lab works on
    assert wait_until(lambda: people.has_ended(going), PATIENCE_S, 0.5)
    assert people.leg(going)["outcome"] == "pass"

    # the site says what is missing, on its pages, in the run and to its operators, and is ready all the same
    assert wait_until(lambda: people.site("lab-b")["workers"] == [], 60, 0.5)
    assert wait_until(lambda: people.run_of(waiting) is not None, PATIENCE_S, 0.5)
    run = people.run_of(waiting)
    assert run is not None
    assert run["state"] == "queued"
    said = re.compile(r"no worker at site lab-b since \d{4}-\d\d-\d\d", re.IGNORECASE)
    pages = (
        "/boards/",
        f"/boards/{people.boards['lab-b']}/",
        f"/runs/{run['id']}/",
        f"/evaluations/{waiting}/",
    )
    assert [page for page in pages if not said.search(people.page(page))] == []
    answer = requests.get(f"{farm.url}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["checks"]["sites"]["ok"]) == (200, False)

    # and goes on when the worker is back
    farm.start_worker(gone)
    assert wait_until(lambda: people.has_ended(waiting), PATIENCE_S, 0.5)
    assert people.leg(waiting)["outcome"] == "pass"
    assert wait_until(lambda: len(people.site("lab-b")["workers"]) == 1, 60, 0.5)


def test_nothing_of_it_is_to_be_seen_from_outside(farm: Farm) -> None:
    assert "to-lab-a" not in Path("/proc/1/net/dev").read_text()
