"""`manage.py board add|list|pause|resume`: boards, with their host keys pinned by the operator."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import AddressRefused, BoardSettings, pause, register_board, resume
from dashboard.projects.management.rows import project_named


class Command(BaseCommand):
    help = "Register, list, pause or resume boards. A board is trusted by the host key that you confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_arguments(verbs.add_parser("add", help="register a board, or give a known one new settings"))
        verbs.add_parser("list", help="list boards")
        one = verbs.add_parser("pause", help="take a board out of service")
        one.add_argument("name")
        one.add_argument("--reason", default="")
        verbs.add_parser("resume", help="take a board back into service").add_argument("name")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        match verb:
            case "add":
                self._add(options)
            case "list":
                self._list()
            case "pause":
                pause(board := _board_named(options["name"]), options["reason"], None)
                self.stdout.write(f"{board} is paused")
            case "resume":
                resume(board := _board_named(options["name"]), None)
                self.stdout.write(f"{board} is ready")

    def _add(self, options: dict[str, Any]) -> None:
        projects = [project_named(name) for name in options["project"]]
        private_key = _read(options["key_file"]) if options["key_file"] else keys.new_private_key()
        settings = BoardSettings(
            name=options["name"],
            address=options["address"],
            port=options["port"],
            username=options["user"],
            host_key=_host_key(_read(options["host_key_file"]), options["fingerprint"]),
            private_key=private_key,
            platform=options["platform"],
            npu=options["npu"],
            site=options["site"],
            simulated=options["npu"] == "sim",
            work_folder=options["work_folder"],
        )
        _check(settings)
        try:
            board = register_board(settings, projects)
        except (AddressRefused, keys.BadKey) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{board} is registered. Its authorized_keys must hold:")
        self.stdout.write(f"{keys.public_key(private_key)} layerwise")

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
    parser.add_argument("--key-file", help="an unencrypted OpenSSH private key; without it one is made")
    parser.add_argument("--platform", default="rv1126")
    parser.add_argument("--npu", default="rknn1", choices=["rknn1", "rknn2", "sim"])
    parser.add_argument("--site", default="local")
    parser.add_argument("--work-folder", default="")


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


def _check(settings: BoardSettings) -> None:
    """Refuse what the columns cannot hold, before anything is written."""
    row = Board(
        name=settings.name,
        site=settings.site,
        address=settings.address,
        port=settings.port,
        username=settings.username,
        platform=settings.platform,
        npu=settings.npu,
        work_folder=settings.work_folder,
        host_key=settings.host_key,
        private_key="set later",
    )
    try:
        row.clean_fields(exclude=["quirks", "fingerprint", "seen_at"])
    except ValidationError as error:
        raise CommandError(
            "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        ) from error
    if not 0 < settings.port < 65536:
        raise CommandError("--port must be from 1 to 65535.")
