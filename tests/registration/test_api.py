"""Registration by API: the same verbs, JSON, and nothing secret in any answer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.projects.models import Project, Role
from dashboard.registration.models import Probe, Registration
from tests import factories
from tests.api.conftest import api, caller, project
from tests.factories import make_board, make_member, make_probe, make_registration, owner_of

__all__ = ["api", "project"]
pytestmark = pytest.mark.django_db
REGISTRATIONS = "/api/v1/registrations/"


def asked(project: Project, **more: object) -> dict[str, object]:
    return {"project": project.pk, "name": "desk", "address": "10.0.0.7", **more}


def test_a_registration_is_begun(api: APIClient, project: Project) -> None:
    answer = api.post(REGISTRATIONS, asked(project, labels=["camera"], npu="rknn2"))
    assert (answer.status_code, answer.json()["labels"], answer.json()["board"]) == (201, ["camera"], None)


def test_problems_come_field_by_field(api: APIClient, project: Project) -> None:
    answer = api.post(REGISTRATIONS, asked(project, address="0x7f.1", username="a b"))
    assert (answer.status_code, set(answer.json()["detail"])) == (400, {"address", "username"})


def test_a_key_of_ones_own_is_taken_and_never_returned(api: APIClient, project: Project) -> None:
    private = keys.new_private_key()
    answer = api.post(REGISTRATIONS, asked(project, private_key=private))
    told = api.get(f"{REGISTRATIONS}{answer.json()['id']}/").content + answer.content
    assert answer.json()["access"]["public_key"] == keys.public_key(private)
    assert private.splitlines()[2].encode() not in told


def test_a_token_of_one_project_names_no_other(project: Project) -> None:
    other = factories.make_project(owner_of(project))
    answer = caller(project).post(REGISTRATIONS, asked(project, projects=[other.pk]))
    assert (answer.status_code, list(answer.json()["detail"])) == (400, ["projects"])


def test_the_whole_way_by_api(api: APIClient, project: Project) -> None:
    begun = make_registration(project)
    address = f"{REGISTRATIONS}{begun.pk}/"
    fingerprint = api.get(address).json()["host_key_fingerprint"]
    confirmed = api.post(f"{address}confirm/", {"fingerprint": fingerprint}).json()
    probes = api.get(f"/api/v1/probes/?board={confirmed['board']}").json()["results"]
    assert [(probe["state"], len(probe["steps"])) for probe in probes] == [("queued", 9)]


def test_a_wrong_fingerprint_confirms_nothing(api: APIClient, project: Project) -> None:
    begun = make_registration(project)
    answer = api.post(f"{REGISTRATIONS}{begun.pk}/confirm/", {"fingerprint": "SHA256:no"})
    assert (answer.status_code, Board.objects.exists()) == (400, False)


def test_a_confirmed_registration_is_not_looked_at_again(api: APIClient, project: Project) -> None:
    begun = make_registration(project)
    address = f"{REGISTRATIONS}{begun.pk}/"
    api.post(f"{address}confirm/", {"fingerprint": begun.host_key_fingerprint})
    assert api.post(f"{address}look/").status_code == 400


def test_a_registration_is_discarded(api: APIClient, project: Project) -> None:
    answer = api.post(f"{REGISTRATIONS}{make_registration(project).pk}/discard/")
    assert (answer.status_code, Registration.objects.count()) == (204, 0)


def test_a_board_is_probed_once_at_a_time(api: APIClient, project: Project) -> None:
    board = make_board(project)
    ids = {api.post(f"/api/v1/boards/{board.pk}/probe/").json()["id"] for _ in range(2)}
    assert ids == {Probe.objects.get().pk}


def test_a_new_host_key_is_pinned_and_probed(api: APIClient, project: Project) -> None:
    board = make_board(project)
    make_probe(board)
    shown = keys.public_key(keys.new_private_key())
    Probe.objects.update(host_key=shown)
    said = {"fingerprint": keys.fingerprint(shown), "reason": "new image"}
    answer = api.post(f"/api/v1/boards/{board.pk}/pin/", said)
    board.refresh_from_db()
    assert (answer.json()["state"], board.host_key) == ("queued", shown)


def test_access_names_the_workers_address(api: APIClient, project: Project) -> None:
    board = make_board(project)
    make_probe(board)
    line = api.get(f"/api/v1/boards/{board.pk}/access/").json()["openssh_line"]
    assert line.startswith('restrict,from="127.0.0.1" ssh-ed25519 ')


def test_what_a_probe_saw_is_told_to_admins_only(api: APIClient, project: Project) -> None:
    address = f"/api/v1/probes/{make_probe(make_board(project)).pk}/"
    viewer = caller(project, make_member(project, Role.VIEWER))
    seen = [client.get(address).json()["steps"][0]["seen"] for client in (viewer, api)]
    assert seen == ["", "seen: reach"]


def test_a_list_of_registrations_holds_what_one_administers(project: Project) -> None:
    make_registration(project)
    developer = caller(project, make_member(project, Role.DEVELOPER))
    assert developer.get(REGISTRATIONS).json()["count"] == 0


def test_a_probe_of_a_simulated_board_says_so(api: APIClient, project: Project) -> None:
    probe = make_probe(make_board(project))
    assert api.get(f"/api/v1/jobs/probe/{probe.pk}/").json()["simulated"]


@pytest.mark.parametrize(("address", "make"), [
    (REGISTRATIONS, make_registration),
    ("/api/v1/probes/", lambda project: make_probe(make_board(project))),
])  # fmt: skip
def test_longer_lists_cost_no_more_queries(api: APIClient, project: Project, address: str, make) -> None:  # type: ignore[no-untyped-def]
    make(project)
    with CaptureQueriesContext(connection) as one:
        api.get(address)
    for _ in range(9):
        make(project)
    with CaptureQueriesContext(connection) as ten:
        assert api.get(address).json()["count"] == 10
    assert len(one) == len(ten) <= 6
