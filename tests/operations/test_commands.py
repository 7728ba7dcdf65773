"""manage.py's own verbs: users, projects, tokens, boards; bad input ends with a clear message."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.projects.models import ApiToken, AuditEvent, Project, Role
from tests import factories

pytestmark = pytest.mark.django_db


def manage(*words: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_a_user_gets_a_password_that_is_printed():
    password = manage("user", "add", "ann").split()[-1]
    assert authenticate(username="ann", password=password) is not None


def test_a_password_comes_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough one\n"))
    manage("user", "add", "ann", "--password-stdin")
    assert authenticate(username="ann", password="a long enough one") is not None


def test_a_password_from_standard_input_is_not_printed(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a long enough one\n"))
    assert "long enough" not in manage("user", "add", "ann", "--password-stdin")


@pytest.mark.parametrize("password", ["", "short", "password1234"])
def test_a_weak_password_makes_no_user(monkeypatch, password):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    with pytest.raises(CommandError):
        manage("user", "add", "ann", "--password-stdin")
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["ann", "", "a b", "x" * 151])
def test_a_name_that_is_taken_or_odd_is_refused(name):
    factories.make_user("ann")
    with pytest.raises(CommandError):
        manage("user", "add", name)


def test_a_password_is_replaced():
    factories.make_user("ann")
    password = manage("user", "set-password", "ann").split()[-1]
    assert authenticate(username="ann", password=password) is not None


def test_the_password_of_nobody_cannot_be_set():
    with pytest.raises(CommandError, match="no user 'bob'"):
        manage("user", "set-password", "bob")


def test_a_project_belongs_to_its_owner():
    user = factories.make_user("ann")
    manage("project", "add", "Vision", "--owner", "ann")
    assert Project.objects.get(name="Vision").role_of(user) == Role.ADMIN


@pytest.mark.parametrize(
    "words", [("Vision", "--owner", "bob"), ("Taken", "--owner", "ann"), ("", "--owner", "ann")]
)
def test_a_project_that_cannot_be_is_refused(words):
    factories.make_project(factories.make_user("ann"), "Taken")
    with pytest.raises(CommandError):
        manage("project", "add", *words)


def test_a_member_gets_a_role():
    project, user = factories.make_project(), factories.make_user("bob")
    manage("project", "member", project.slug, "bob", "viewer")
    assert project.role_of(user) == Role.VIEWER


def test_a_members_role_is_taken_away():
    project = factories.make_project()
    user = factories.make_member(project)
    manage("project", "member", project.slug, user.username, "none")
    assert project.role_of(user) is None


@pytest.mark.parametrize("role", ["viewer", "none"])
def test_the_last_admin_stays_one(role):
    project = factories.make_project()
    owner = factories.owner_of(project)
    with pytest.raises(CommandError, match="last admin"):
        manage("project", "member", project.slug, owner.username, role)


def test_projects_are_listed_with_their_members():
    project = factories.make_project(name="Vision")
    assert f"{factories.owner_of(project)} (admin)" in manage("project", "list")


def test_a_token_made_by_command_works():
    project = factories.make_project()
    secret = manage(
        "token", "add", project.slug, factories.owner_of(project).username, "--scope", "read"
    ).strip()
    answer = Client().get("/api/v1/whoami/", headers={"authorization": f"Bearer {secret}"})
    assert answer.json()["scopes"] == ["read"]


def test_a_token_expires_when_it_was_told_to():
    project = factories.make_project()
    manage("token", "add", project.slug, factories.owner_of(project).username, "--expires-days", "7")
    left = ApiToken.objects.get().expires_at - timezone.now()
    assert timedelta(days=6.9) < left < timedelta(days=7.1)


@pytest.mark.parametrize("days", ["0", "-1", "99999999"])
def test_a_token_for_no_time_or_for_ever_and_a_day_is_refused(days):
    project = factories.make_project()
    with pytest.raises(CommandError):
        manage("token", "add", project.slug, factories.owner_of(project).username, f"--expires-days={days}")


def test_a_token_for_somebody_who_is_no_member_is_refused():
    project, user = factories.make_project(), factories.make_user()
    with pytest.raises(CommandError, match="no member"):
        manage("token", "add", project.slug, user.username)


def test_a_token_is_revoked_by_its_prefix():
    token = factories.make_token_row(factories.make_project())
    manage("token", "revoke", token.prefix)
    assert ApiToken.objects.get().revoked_at is not None


def test_a_token_is_revoked_by_its_whole_secret():
    secret = factories.make_secret(factories.make_project())
    manage("token", "revoke", secret)
    assert ApiToken.objects.get().revoked_at is not None


def test_an_unknown_prefix_is_told():
    with pytest.raises(CommandError, match="no token"):
        manage("token", "revoke", "0123456789")


def test_tokens_are_listed_without_their_digests():
    token = factories.make_token_row(factories.make_project())
    listed = manage("token", "list")
    assert token.prefix in listed and token.digest not in listed


@pytest.fixture
def host_key(tmp_path: Path) -> tuple[Path, str]:
    """A public host key in a file, and its fingerprint."""
    public = keys.public_key(keys.new_private_key())
    file = tmp_path / "host_key.pub"
    file.write_text(f"# board\n192.168.1.5 {public} comment\n")
    return file, keys.fingerprint(public)


def add_board(project: Project, host_key: tuple[Path, str], *more: str) -> str:
    file, print_ = host_key
    words = ["board", "add", "rv-1", "--address", "192.168.1.5", "--project", project.slug]
    return manage(*words, "--host-key-file", str(file), "--fingerprint", print_, *more)


def test_a_board_is_registered_with_its_pinned_key(host_key):
    add_board(factories.make_project(), host_key)
    assert keys.fingerprint(Board.objects.get().host_key) == host_key[1]


def test_the_line_for_authorized_keys_is_printed(host_key):
    printed = add_board(factories.make_project(), host_key)
    assert keys.public_key(keys.decrypt(Board.objects.get().private_key)) in printed


def test_the_private_key_is_not_printed(host_key, tmp_path):
    private = keys.new_private_key()
    (tmp_path / "key").write_text(private)
    printed = add_board(factories.make_project(), host_key, "--key-file", str(tmp_path / "key"))
    assert private.splitlines()[2] not in printed


def test_a_board_of_software_is_simulated(host_key):
    add_board(factories.make_project(), host_key, "--npu", "sim")
    assert Board.objects.get().simulated


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--fingerprint", "SHA256:other"), "does not agree"),
        (("--address", "8.8.8.8"), "LAYERWISE_BOARD_NETWORKS"),
        (("--port", "0"), "port"),
        (("--port", "70000"), "port"),
        (("--port", "-5"), "port"),
        (("--host-key-file", "/nowhere/at/all"), "Cannot read"),
        (("--key-file", "/nowhere/at/all"), "Cannot read"),
        (("--user", "x" * 65), "username"),
        (("--project", "nowhere"), "no project"),
        (("--site", "the moon"), "letters, digits"),
        (("--labels", "no/such"), "labels"),
        (("--work-folder", "a b"), "work_folder"),
    ],
)
def test_a_board_that_cannot_be_registered_is_refused(host_key, more, says):
    with pytest.raises(CommandError, match=says):
        add_board(factories.make_project(), host_key, *more)
    assert not Board.objects.exists()


@pytest.mark.parametrize("text", ["", "no key in here", "ssh-ed25519", "ssh-ed25519 not*base64"])
def test_a_file_without_a_host_key_is_refused(host_key, text):
    host_key[0].write_text(text)
    with pytest.raises(CommandError, match="host key file"):
        add_board(factories.make_project(), host_key)


def test_a_key_file_that_is_no_key_is_refused(host_key, tmp_path):
    (tmp_path / "key").write_text("not a key")
    with pytest.raises(CommandError, match="private key"):
        add_board(factories.make_project(), host_key, "--key-file", str(tmp_path / "key"))


def test_labels_are_kept(host_key):
    add_board(factories.make_project(), host_key, "--labels", "camera, 512mb")
    assert Board.objects.get().labels == ["camera", "512mb"]


def test_a_board_added_with_a_probe_waits_for_it(host_key):
    add_board(factories.make_project(), host_key, "--probe")
    board = Board.objects.get()
    assert (board.state, board.held_by) == ("paused", f"probe {board.probes.get().pk}")


def test_a_key_for_an_old_dropbear_is_made(host_key):
    assert "ecdsa-sha2-nistp256" in add_board(factories.make_project(), host_key, "--key-kind", "ecdsa")


def test_a_board_is_paused_and_resumed():
    board = factories.make_board()
    manage("board", "pause", board.name, "--reason", "smoke")
    manage("board", "resume", board.name)
    board.refresh_from_db()
    assert (board.state, board.reason) == ("ready", "")


def test_pausing_is_in_the_audit_trail():
    board = factories.make_board(factories.make_project())
    manage("board", "pause", board.name)
    assert AuditEvent.objects.filter(action="board.paused", subject=board.name).exists()


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_board_that_is_not_there_is_told(verb):
    with pytest.raises(CommandError, match="no board"):
        manage("board", verb, "ghost")


def test_listed_boards_say_that_they_are_simulated():
    factories.make_board(name="soft")
    assert "simulated" in manage("board", "list")


def test_a_board_is_labelled():
    factories.make_board(name="rv-1")
    manage("board", "label", "rv-1", "camera", "512mb")
    assert Board.objects.get().labels == ["512mb", "camera"]


def test_a_word_that_is_no_label_is_refused():
    factories.make_board(name="rv-1")
    with pytest.raises(CommandError, match="labels of a-z"):
        manage("board", "label", "rv-1", "A camera")


def test_a_board_is_drained():
    factories.make_board(name="rv-1")
    assert "paused" in manage("board", "drain", "rv-1", "--reason", "cable")


def test_a_board_is_reserved_for_a_user_and_released():
    project = factories.make_project()
    board = factories.make_board(project, name="rv-1")
    manage("board", "reserve", "rv-1", "--user", factories.owner_of(project).username, "--hours", "1")
    board.refresh_from_db()
    was_reserved = board.is_reserved
    manage("board", "release", "rv-1")
    board.refresh_from_db()
    assert (was_reserved, board.is_reserved) == (True, False)


def test_a_board_is_not_reserved_for_strangers():
    factories.make_board(factories.make_project(), name="rv-1")
    factories.make_user("mallory")
    with pytest.raises(CommandError, match="may not use"):
        manage("board", "reserve", "rv-1", "--user", "mallory")
