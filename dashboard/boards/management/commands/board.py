"""`manage.py board add|list|label|pause|drain|resume|reserve|release`: boards, with pinned host keys."""

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboard.boards import keys
from dashboard.boards.access import may_use
from dashboard.boards.addresses import AddressRefused
from dashboard.boards.labels import BadLabels, check_labels, set_labels
from dashboard.boards.models import Board, BoardState
from dashboard.boards.reservations import NotReserved, release, reserve
from dashboard.boards.services import (
    BoardSettings,
    Taken,
    drain,
    pause,
    register_board,
    resume,
    set_state,
)
from dashboard.projects.management.rows import project_named, user_named
from dashboard.registration.drafts import Draft, Unfit, labels_from
from dashboard.registration.services import NEW, request_probe


class Command(BaseCommand):
    help = "Register boards and say whom they serve. A board is trusted by the host key that you confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_arguments(verbs.add_parser("add", help="register a board, or give a known one new settings"))
        verbs.add_parser("list", help="list boards")
        for verb, text in (
            ("pause", "take a board out of service"),
            ("drain", "pause a board after its run"),
        ):
            one = verbs.add_parser(verb, help=text)
            one.add_argument("name")
            one.add_argument("--reason", default="")
        verbs.add_parser("resume", help="take a board back into service").add_argument("name")
        one = verbs.add_parser("reserve", help="only this user's runs go to the board, until an end")
        one.add_argument("name")
        one.add_argument("--user", required=True)
        one.add_argument("--hours", type=float, default=2.0)
        one.add_argument("--undisturbed", action="store_true", help="health runs wait too")
        verbs.add_parser("release", help="end a board's reservation").add_argument("name")
        one = verbs.add_parser("label", help="say which labels a board has, instead of those it had")
        one.add_argument("name")
        one.add_argument("labels", nargs="*")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        match verb:
            case "add":
                self._add(options)
            case "list":
                self._list()
            case "label":
                set_labels(board := _board_named(options["name"]), _labels(options["labels"]), None)
                self.stdout.write(f"{board} has the labels: {' '.join(board.labels) or 'none'}")
            case "pause":
                pause(board := _board_named(options["name"]), options["reason"], None)
                self.stdout.write(f"{board} is paused")
            case "drain":
                drain(board := _board_named(options["name"]), options["reason"], None)
                self.stdout.write(f"{board} is {board.shown_state if board.run_id is None else 'draining'}")
            case "resume":
                resume(board := _board_named(options["name"]), None)
                self.stdout.write(f"{board} is ready")
            case "reserve":
                self._reserve(_board_named(options["name"]), options)
            case "release":
                release(board := _board_named(options["name"]), None, is_admin=True)
                self.stdout.write(f"{board} is nobody's")

    def _reserve(self, board: Board, options: dict[str, Any]) -> None:
        user = user_named(options["user"])
        if not may_use(user, board):
            raise CommandError(f"{user} may not use {board}: no project with it has them as a developer.")
        if not 0 < options["hours"] < 1_000_000:
            raise CommandError("--hours must be more than 0.")
        try:
            reserve(board, user, timezone.now() + timedelta(hours=options["hours"]), options["undisturbed"])
        except NotReserved as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{board} is {user}'s until {board.reserved_until:%Y-%m-%d %H:%M} UTC")

    def _add(self, options: dict[str, Any]) -> None:
        projects = [project_named(name) for name in options["project"]]
        draft = _draft(options)
        host_key = _host_key(_read(options["host_key_file"]), options["fingerprint"])
        try:
            draft.check()
            private_key = draft.checked_key()
            board = register_board(_settings(draft, host_key, private_key), projects)
        except (Unfit, AddressRefused, Taken, keys.BadKey) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{board} is registered. Its authorized_keys must hold:")
        self.stdout.write(f"{keys.public_key(private_key)} layerwise")
        if options["probe"]:
            set_state(board, BoardState.PAUSED, NEW)
            probe = request_probe(board, projects[0], None)
            self.stdout.write(f"It takes runs once {probe} has passed: see {probe.get_absolute_url()}")

    def _list(self) -> None:
        for board in Board.objects.order_by("name").prefetch_related("projects"):
            where = f"{board.username}@{board.address}:{board.port}"
            made_of = "simulated" if board.simulated else board.npu
            projects = ",".join(project.slug for project in board.projects.all())
            words = [
                board.name,
                board.site,
                where,
                board.platform,
                made_of,
                board.shown_state,
                projects,
                board.reason,
            ]
            self.stdout.write("\t".join(words))


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--user", default="root", help="whom the agent runs as")
    parser.add_argument("--project", action="append", required=True, help="who may use it; may be repeated")
    parser.add_argument(
        "--host-key-file", required=True, help="the board's public host key, as ssh-keyscan prints it"
    )
    parser.add_argument(
        "--fingerprint", required=True, help="the same key's SHA256:..., read on the board itself"
    )
    parser.add_argument("--key-file", help="a private key without a password; without it one is made")
    parser.add_argument("--platform", default="rv1126")
    parser.add_argument("--npu", default="rknn1", choices=["rknn1", "rknn2", "sim"])
    parser.add_argument("--site", default="local")
    parser.add_argument("--simulated", action="store_true", help="an emulated board; --npu sim always is")
    parser.add_argument("--work-folder", default="")
    parser.add_argument("--labels", default="", help="what else a run may ask for, separated by commas")
    parser.add_argument("--key-kind", default="ed25519", choices=[str(kind) for kind in keys.KeyKind])
    parser.add_argument("--probe", action="store_true", help="into service only when a probe has passed")


def _draft(options: dict[str, Any]) -> Draft:
    return Draft(
        name=options["name"],
        address=options["address"],
        port=options["port"],
        username=options["user"],
        site=options["site"],
        platform=options["platform"],
        npu=options["npu"],
        simulated=options["simulated"],
        labels=labels_from(options["labels"]),
        work_folder=options["work_folder"],
        key_kind=keys.KeyKind(options["key_kind"]),
        private_key=_read(options["key_file"]) if options["key_file"] else "",
    )


def _settings(draft: Draft, host_key: str, private_key: str) -> BoardSettings:
    return BoardSettings(
        name=draft.name,
        address=draft.address,
        port=draft.port,
        username=draft.username,
        host_key=host_key,
        private_key=private_key,
        platform=draft.platform,
        npu=draft.npu,
        site=draft.site,
        simulated=draft.is_simulated,
        work_folder=draft.work_folder,
        labels=draft.labels,
    )


def _labels(words: list[str]) -> list[str]:
    try:
        check_labels(words)
    except BadLabels as error:
        raise CommandError(str(error)) from error
    return words


def _board_named(name: str) -> Board:
    board = Board.objects.filter(name=name).first()
    if board is None:
        raise CommandError(f"There is no board {name!r}. See: manage.py board list")
    return board


def _read(name: str) -> str:
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"Cannot read {name}: {error}") from error


def _host_key(text: str, confirmed: str) -> str:
    """The key of the file (a .pub file or a line of known_hosts) whose fingerprint was confirmed."""
    found = []
    for line in text.splitlines():
        words = line.split()
        start = next((at for at, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-"))), None)
        if line.startswith("#") or start is None or len(words) < start + 2:
            continue
        key = " ".join(words[start : start + 2])
        found.append(_fingerprint(key))
        if found[-1] == confirmed:
            return key
    if not found:
        raise CommandError("The host key file holds no public key (type and base64).")
    raise CommandError(
        f"The fingerprint does not agree: the file holds {', '.join(found)}, you confirmed {confirmed!r}. "
        "Read it on the board: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )


def _fingerprint(key: str) -> str:
    try:
        return keys.fingerprint(key)
    except keys.BadKey as error:
        raise CommandError(f"The host key file is damaged: {error}.") from error
