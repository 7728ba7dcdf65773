"""The pages of registration: what they show to whom, and what they never show."""

import pytest
from django.test import Client

from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import confirm
from tests.factories import make_probe, make_project, make_registration
from tests.pages.conftest import SignIn, World, as_user, world

__all__ = ["as_user", "world"]
GOOD = {
    "name": "rack 3", "address": "192.168.1.9", "port": 22, "username": "layerwise", "site": "local",
    "platform": "rv1126", "npu": "rknn1", "key_kind": "ecdsa", "labels": "camera 512mb",
}  # fmt: skip


@pytest.fixture
def admin(world: World, as_user: SignIn) -> Client:
    return as_user(world.admin)


def new_page(world: World) -> str:
    return f"/projects/{world.project.slug}/boards/new/"


def test_a_good_form_leads_to_the_registration(world: World, admin: Client) -> None:
    answer = admin.post(new_page(world), GOOD)
    made = Registration.objects.get()
    assert (answer.headers["Location"], made.labels) == (f"/registrations/{made.pk}/", ["camera", "512mb"])


def test_the_chosen_kind_of_key_is_made(world: World, admin: Client) -> None:
    admin.post(new_page(world), GOOD)
    assert Registration.objects.get().public_key.startswith("ecdsa-sha2-nistp256 ")


def test_a_forbidden_address_is_told_at_its_field(world: World, admin: Client) -> None:
    answer = admin.post(new_page(world), {**GOOD, "address": "169.254.169.254"})
    assert (answer.status_code, "LAYERWISE_BOARD_NETWORKS" in answer.content.decode()) == (422, True)


def test_a_refused_form_does_not_show_the_private_key_again(world: World, admin: Client) -> None:
    private = keys.new_private_key()
    answer = admin.post(new_page(world), {**GOOD, "private_key": private, "port": 0})
    assert private.splitlines()[2] not in answer.content.decode()


def test_a_key_with_a_password_is_refused_with_advice(world: World, admin: Client) -> None:
    answer = admin.post(new_page(world), {**GOOD, "private_key": _with_password()})
    assert "ssh-keygen -p" in answer.content.decode()


def _with_password() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key, form = Ed25519PrivateKey.generate(), PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")).decode()


def test_only_projects_that_one_administers_can_be_named(world: World, admin: Client) -> None:
    foreign, own = make_project(), make_project(world.admin, "Audio")
    refused = admin.post(new_page(world), {**GOOD, "projects": [foreign.pk]})
    admin.post(new_page(world), {**GOOD, "projects": [own.pk]})
    shared = set(Registration.objects.get().projects.values_list("name", flat=True))
    assert (refused.status_code, shared) == (422, {"Vision", "Audio"})


def test_a_form_begins_with_another_registrations_values(world: World, admin: Client) -> None:
    like = make_registration(world.project, "almost")
    page = admin.get(f"{new_page(world)}?like={like.pk}").content.decode()
    assert 'value="almost"' in page


@pytest.mark.parametrize("like", ["x", "-1", "9" * 30, "1%00"])
def test_a_strange_number_begins_an_empty_form(world: World, admin: Client, like: str) -> None:
    assert admin.get(f"{new_page(world)}?like={like}").status_code == 200


def test_another_projects_registration_is_no_model_for_a_form(world: World, admin: Client) -> None:
    like = make_registration(name="foreign")
    assert "foreign" not in admin.get(f"{new_page(world)}?like={like.pk}").content.decode()


def test_the_page_shows_the_fingerprint_and_how_to_read_it_on_the_board(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    page = admin.get(mine.get_absolute_url()).content.decode()
    wanted = [mine.host_key_fingerprint, "ssh-keygen -lf", "dropbearkey -y -f"]
    assert [words for words in wanted if words not in page.replace("&#x27;", "'")] == []


def test_the_page_offers_both_lines(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    page = admin.get(mine.get_absolute_url()).content.decode()
    assert f"restrict {mine.public_key}" in page and f"no-pty {mine.public_key}" in page


def test_the_page_never_shows_the_private_key(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    private = keys.decrypt(mine.private_key).splitlines()[2]
    confirm(mine, mine.host_key_fingerprint, world.admin)
    board = Board.objects.get(name=mine.name)
    pages = [mine.get_absolute_url(), f"/boards/{board.pk}/access/", f"/boards/{board.pk}/"]
    assert all(private not in admin.get(page).content.decode() for page in pages)


def test_a_wrong_fingerprint_is_told_on_the_page(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    answer = admin.post(f"{mine.get_absolute_url()}confirm/", {"fingerprint": "SHA256:no"})
    assert (answer.status_code, "do not go on" in answer.content.decode()) == (422, True)


def test_a_pasted_line_of_ssh_keygen_confirms(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    line = f"256 {mine.host_key_fingerprint} root@rv1126 (ED25519)"
    admin.post(f"{mine.get_absolute_url()}confirm/", {"fingerprint": line})
    assert Board.objects.filter(name=mine.name, host_key=mine.host_key).exists()


def test_the_steps_arrive_as_a_piece_and_ask_for_the_page_when_they_are_over(
    world: World, admin: Client
) -> None:
    mine = make_registration(world.project, is_seen=False)
    going = admin.get(mine.get_absolute_url(), headers={"HX-Request": "true"})
    mine.probes.get().cancel()
    over = admin.get(mine.get_absolute_url(), headers={"HX-Request": "true"})
    assert ("HX-Refresh" in going.headers, "HX-Refresh" in over.headers) == (False, True)


def test_a_member_sees_how_a_probe_ended_but_not_what_was_seen(
    world: World, as_user: SignIn, admin: Client
) -> None:
    probe = make_probe(world.board)
    page = f"/probes/{probe.pk}/"
    shown = [client.get(page).content.decode() for client in (as_user(world.viewer), admin)]
    assert [("Reach the board" in text, "seen: reach" in text) for text in shown] == [
        (True, False),
        (True, True),
    ]


def test_a_changed_host_key_shows_both_fingerprints(world: World, admin: Client) -> None:
    make_probe(world.board)
    shown = keys.public_key(keys.new_private_key())
    Probe.objects.update(host_key=shown)
    page = admin.get(f"/boards/{world.board.pk}/access/").content.decode()
    assert keys.fingerprint(shown) in page and keys.fingerprint(world.board.host_key) in page


def test_a_new_key_is_pinned_only_with_a_reason(world: World, admin: Client) -> None:
    make_probe(world.board)
    shown = keys.public_key(keys.new_private_key())
    Probe.objects.update(host_key=shown)
    page, said = f"/boards/{world.board.pk}/pin/", {"fingerprint": keys.fingerprint(shown)}
    refused = admin.post(page, said).status_code
    admin.post(page, {**said, "reason": "new image"})
    assert (refused, Board.objects.get(pk=world.board.pk).host_key) == (422, shown)


def test_a_board_is_admitted_with_a_reason_only(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    board = confirm(mine, mine.host_key_fingerprint, world.admin)
    refused = admin.post(f"/boards/{board.pk}/admit/", {"reason": ""}).status_code
    before = Board.objects.get(pk=board.pk).state
    admin.post(f"/boards/{board.pk}/admit/", {"reason": "on my word"})
    after = Board.objects.get(pk=board.pk).state
    assert (refused, before, after) == (422, BoardState.PAUSED, BoardState.READY)


def test_a_board_whose_key_can_no_longer_be_read_still_has_a_page(world: World, admin: Client) -> None:
    Board.objects.filter(pk=world.board.pk).update(private_key="not encrypted by us")
    assert "cannot be read any more" in admin.get(f"/boards/{world.board.pk}/access/").content.decode()


def test_a_simulated_board_says_so_while_it_is_registered(world: World, admin: Client) -> None:
    mine = make_registration(world.project)
    assert "simulated" in admin.get(mine.get_absolute_url()).content.decode()
