"""Registrations as rows: who confirms what, what is kept of keys, what expires, what the audit trail says."""

from datetime import timedelta

import pytest
from django.db.models import F

from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState
from dashboard.boards.services import request_run
from dashboard.dispatch import Dispatcher
from dashboard.projects.models import AuditEvent, Project
from dashboard.registration.drafts import Draft, Unfit, labels_from
from dashboard.registration.models import KEPT, Probe, Registration
from dashboard.registration.services import (
    NEW,
    admit,
    begin,
    confirm,
    discard,
    look,
    pin_anew,
    request_probe,
    tidy,
)
from tests import factories
from tests.claims import claim_with_board
from tests.factories import make_board, make_registration, owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


@pytest.fixture
def seen(project: Project) -> Registration:
    """A registration whose host key was seen."""
    return make_registration(project)


def problems_of(project: Project, **changes: object) -> dict[str, str]:
    draft = Draft(**{"name": "desk", "address": "10.0.0.7", **changes})  # type: ignore[arg-type]
    with pytest.raises(Unfit) as unfit:
        begin(project, [], draft, None)
    return unfit.value.problems


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "<b>"), ("name", "x" * 81), ("address", "8.8.8.8"), ("address", "0x7f.1"),
        ("port", 0), ("port", 65536), ("username", ""), ("username", "root;reboot"), ("username", "-oProxy"),
        ("username", "a b"), ("site", "the moon"), ("platform", "RV 1126"), ("npu", "tpu"), ("labels", ("a b",)),
        ("labels", tuple(f"l{number}" for number in range(21))), ("work_folder", "../up"), ("work_folder", "/a b"),
        ("work_folder", "/a/../b"), ("work_folder", "$(reboot)"), ("work_folder", "-rf"), ("private_key", "junk"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_its_field(project: Project, field: str, value: object) -> None:
    assert list(problems_of(project, **{field: value})) == [field]


def test_every_problem_is_told_at_once(project: Project) -> None:
    assert set(problems_of(project, name="", port=0, username="")) == {"name", "port", "username"}


def test_a_taken_name_is_refused(project: Project) -> None:
    make_board(name="desk")
    assert "already" in problems_of(project)["name"]


@pytest.mark.parametrize(
    ("text", "labels"), [("", ()), (" , ", ()), ("a, b  A", ("a", "b")), ("512MB", ("512mb",))]
)
def test_labels_are_words_without_doubles(text: str, labels: tuple[str, ...]) -> None:
    assert labels_from(text) == labels


def test_a_virtual_npu_is_never_taken_for_a_real_one(project: Project) -> None:
    registration = begin(project, [], Draft(name="soft", address="127.0.0.1", npu="sim"), None)
    assert registration.simulated


def test_the_private_key_is_stored_encrypted(project: Project) -> None:
    private = keys.new_private_key()
    begin(project, [], Draft(name="desk", address="10.0.0.7", private_key=private), None)
    stored = repr(Registration.objects.values_list().get())
    assert private.splitlines()[2] not in stored


def test_a_drafts_words_do_not_tell_its_key() -> None:
    assert "secret" not in repr(Draft(name="desk", address="10.0.0.7", private_key="secret"))


def test_beginning_asks_a_worker_of_the_site_for_the_host_key(project: Project) -> None:
    registration = begin(project, [], Draft(name="desk", address="10.0.0.7"), None)
    assert [probe.queue for probe in registration.probes.all()] == ["boards.local"]


def test_there_is_no_board_before_somebody_has_confirmed(seen: Registration) -> None:
    assert not Board.objects.exists()


def test_a_look_that_is_under_way_is_shared(project: Project) -> None:
    registration = make_registration(project, is_seen=False)
    assert look(registration, None) == registration.probes.get()


@pytest.mark.parametrize("said", ["", "yes", "SHA256:", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"])
def test_another_fingerprint_confirms_nothing(seen: Registration, said: str) -> None:
    with pytest.raises(Unfit, match="in the way"):
        confirm(seen, said, None)
    assert not Board.objects.exists()


def test_nothing_is_confirmed_before_a_key_was_seen(project: Project) -> None:
    with pytest.raises(Unfit, match="look"):
        confirm(make_registration(project, is_seen=False), "SHA256:x", None)


def test_a_confirmed_board_is_not_in_service_yet(seen: Registration) -> None:
    board = confirm(seen, seen.host_key_fingerprint, None)
    assert (board.state, board.reason, board.host_key) == (BoardState.PAUSED, NEW, seen.host_key)


def test_a_confirmed_board_runs_nothing_before_its_probe(seen: Registration) -> None:
    artifact = factories.make_artifact(
        factories.make_conversion(factories.make_version(factories.make_model(seen.project)))
    )
    confirm(seen, seen.host_key_fingerprint, None)
    assert not claim_with_board(request_run(artifact), "w")


def test_confirming_twice_is_one_board(seen: Registration) -> None:
    first = confirm(seen, seen.host_key_fingerprint, None)
    assert confirm(seen, seen.host_key_fingerprint, None) == first


def test_the_key_moves_on_to_the_board(seen: Registration) -> None:
    board = confirm(seen, seen.host_key_fingerprint, None)
    seen.refresh_from_db()
    assert (seen.private_key, keys.public_key(keys.decrypt(board.private_key))) == ("", seen.public_key)


def test_a_name_that_was_taken_meanwhile_is_told(seen: Registration) -> None:
    make_board(name=seen.name)
    with pytest.raises(Unfit, match="already"):
        confirm(seen, seen.host_key_fingerprint, None)


def test_a_machine_that_is_a_board_already_is_told_without_its_name(seen: Registration) -> None:
    other = make_board(factories.make_project(), name="secret-board")
    Board.objects.filter(pk=other.pk).update(address=seen.address, port=seen.port)
    with pytest.raises(Unfit) as unfit:
        confirm(seen, seen.host_key_fingerprint, None)
    assert "registered already" in str(unfit.value) and "secret-board" not in str(unfit.value)


def test_the_board_serves_every_project_that_was_named(project: Project) -> None:
    other = factories.make_project(owner_of(project))
    registration = begin(project, [other], Draft(name="desk", address="10.0.0.7"), None)
    Registration.objects.filter(pk=registration.pk).update(host_key=keys.public_key(keys.new_private_key()))
    registration.refresh_from_db()
    board = confirm(registration, registration.host_key_fingerprint, None)
    assert set(board.projects.all()) == {project, other}


def test_a_discarded_registration_is_gone_with_its_key(seen: Registration) -> None:
    discard(seen, None)
    assert not Registration.objects.exists()


def test_a_confirmed_registration_is_not_discarded(seen: Registration) -> None:
    confirm(seen, seen.host_key_fingerprint, None)
    discard(seen, None)
    assert Registration.objects.filter(pk=seen.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_an_abandoned_registration_expires(seen: Registration) -> None:
    Registration.objects.update(created_at=F("created_at") - KEPT - timedelta(minutes=1))
    Dispatcher().turn()
    assert not Registration.objects.exists()


def test_neither_fresh_nor_confirmed_registrations_expire(seen: Registration, project: Project) -> None:
    confirm(seen, seen.host_key_fingerprint, None)
    Registration.objects.update(created_at=F("created_at") - KEPT * 2)
    make_registration(project)
    assert (tidy(), Registration.objects.count()) == (0, 2)


def test_an_admin_admits_a_board_that_no_probe_has_passed(seen: Registration) -> None:
    board = confirm(seen, seen.host_key_fingerprint, None)
    admit(board, "the NPU is tested elsewhere", owner_of(seen.project))
    assert board.state == BoardState.READY


def test_a_board_whose_probe_was_deleted_is_given_back(seen: Registration) -> None:
    board = confirm(seen, seen.host_key_fingerprint, None)
    Probe.objects.filter(board=board).delete()
    tidy()
    board.refresh_from_db()
    assert board.held_by == ""


def test_a_probe_that_nobody_took_in_time_says_which_worker_is_missing(seen: Registration) -> None:
    probe = confirm(seen, seen.host_key_fingerprint, None).probes.get()
    assert probe.in_vain == "system:no-worker"


def test_a_key_that_nobody_saw_cannot_be_pinned(project: Project) -> None:
    board = make_board(project)
    with pytest.raises(Unfit, match="probe the board"):
        pin_anew(board, keys.fingerprint(board.host_key), "because", None)


def test_a_fingerprint_that_disagrees_pins_nothing(project: Project) -> None:
    board = make_board(project)
    before = board.host_key
    factories.make_probe(board)
    Probe.objects.update(host_key=keys.public_key(keys.new_private_key()))
    with pytest.raises(Unfit, match="in the way"):
        pin_anew(board, keys.fingerprint(before), "because", None)


def test_a_constraint_keeps_probes_to_one_target(project: Project, seen: Registration) -> None:
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        Probe.objects.create(project=project, registration=seen, board=make_board(project), site="local")


@pytest.mark.parametrize(
    "action",
    ["registration.begun", "registration.confirmed", "board.registered", "board.probed"],
)
def test_every_change_is_in_the_audit_trail(seen: Registration, action: str) -> None:
    user = owner_of(seen.project)
    confirm(seen, seen.host_key_fingerprint, user)
    events = AuditEvent.objects.filter(action=action, project=seen.project, subject__startswith=seen.name)
    assert [event.user for event in events] == [user]


def test_discarding_and_admitting_are_in_the_audit_trail(project: Project, seen: Registration) -> None:
    user = owner_of(project)
    discard(make_registration(project, "gone"), user)
    admit(confirm(seen, seen.host_key_fingerprint, user), "why not", user)
    found = set(AuditEvent.objects.filter(user=user).values_list("action", "subject"))
    assert {
        ("registration.discarded", "gone"),
        ("board.admitted", f"{seen.name}, no probe passed: why not"),
    } <= found


def test_a_new_pin_is_in_the_audit_trail_with_both_fingerprints_and_the_reason(project: Project) -> None:
    board = make_board(project)
    factories.make_probe(board)
    shown = keys.public_key(keys.new_private_key())
    Probe.objects.update(host_key=shown)
    old = keys.fingerprint(board.host_key)
    pin_anew(board, keys.fingerprint(shown), "new image", owner_of(project))
    subject = AuditEvent.objects.get(action="board.pinned-anew").subject
    assert all(words in subject for words in (old, keys.fingerprint(shown), "new image"))


def test_a_probe_of_a_running_site_is_no_run_and_no_evaluations_business(project: Project) -> None:
    from dashboard.pipeline import waiting_for

    assert not waiting_for(request_probe(make_board(project), project, None)).exists()
