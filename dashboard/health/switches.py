"""How a board's power is switched: checked when it is written, encrypted at rest, shown without its secrets."""

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction

from dashboard.boards.models import Board
from dashboard.boards.services import record_of_board
from dashboard.health.models import PowerSwitch, SwitchKind

PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
METHODS = ("GET", "POST", "PUT")
OURS = frozenset(["host", "content-length", "transfer-encoding", "connection", "expect", "upgrade"])
MOST_ARGUMENTS, MOST_HEADERS, LONGEST = 20, 20, 2000
MOST_PAUSE_S = 120


class BadSwitch(ValueError):
    """The configuration makes no sense; the text says what, and shows no secret."""


@dataclass(frozen=True)
class Configuration:
    """All that a switch is told. `off` is done first, then after `pause_s` seconds `on`, where there is one.

    A command's `off` and `on` are argument lists, an HTTP switch's are one address each. `reboot` is the argument
    list that is tried by SSH first; empty: none.
    """

    kind: str
    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    pause_s: int = 5
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    reboot: tuple[str, ...] = ("reboot",)

    @property
    def shown_off(self) -> str:
        return self._shown(self.off)

    @property
    def shown_on(self) -> str:
        return self._shown(self.on)

    def _shown(self, what: tuple[str, ...]) -> str:
        """Where it leads, without the parts that may be secret: arguments, paths and queries."""
        if not what:
            return ""
        if self.kind == SwitchKind.HTTP:
            parts = urlsplit(what[0])
            return f"{parts.scheme}://{parts.netloc}/…"
        return what[0] + (" …" if len(what) > 1 else "")


@transaction.atomic
def configure(board: Board, wanted: Configuration, automatic: bool, by: Any) -> PowerSwitch:
    """Keep how this board's power is switched. Raises BadSwitch."""
    check(wanted)
    switch, _ = PowerSwitch.objects.update_or_create(
        board=board,
        defaults={
            "kind": wanted.kind,
            "configuration": _cipher().encrypt(json.dumps(asdict(wanted)).encode()).decode(),
            "automatic": automatic,
            "updated_by": by,
        },
    )
    record_of_board("power.configured", board, by, f"{board.name} {wanted.kind}")
    return switch


@transaction.atomic
def remove(board: Board, by: Any) -> None:
    """Nobody switches this board's power any more."""
    if PowerSwitch.objects.filter(board=board).delete()[0]:
        record_of_board("power.removed", board, by)


def configuration_of(switch: PowerSwitch) -> Configuration:
    """What the switch is told. Raises BadSwitch when the site's secret is not the one it was encrypted with."""
    try:
        stored = json.loads(_cipher().decrypt(switch.configuration.encode()))
    except InvalidToken as error:
        raise BadSwitch("LAYERWISE_SECRET_KEY has changed since this power switch was set up") from error
    lists = {name: tuple(stored.pop(name)) for name in ("off", "on", "reboot")}
    headers = tuple((name, value) for name, value in stored.pop("headers"))
    return Configuration(**{**stored, **lists, "headers": headers})


def check(wanted: Configuration) -> None:
    """Raises BadSwitch. What an address leads to is looked at when it is used, not now."""
    if wanted.kind not in SwitchKind.values:
        raise BadSwitch("There is no such kind of switch.")
    if not 0 <= wanted.pause_s <= MOST_PAUSE_S:
        raise BadSwitch(f"The pause is 0 to {MOST_PAUSE_S} seconds long.")
    for words in (wanted.off, wanted.on, wanted.reboot):
        _check_words(words)
    if wanted.kind == SwitchKind.NONE and not wanted.reboot:
        raise BadSwitch("A reboot by SSH needs its command.")
    if wanted.kind != SwitchKind.NONE and not wanted.off:
        raise BadSwitch("What switches the power off is missing.")
    if wanted.kind == SwitchKind.COMMAND:
        _check_programs(wanted)
    if wanted.kind == SwitchKind.HTTP:
        _check_call(wanted)


def _check_words(words: tuple[str, ...]) -> None:
    if len(words) > MOST_ARGUMENTS or any(not word.isprintable() or len(word) > LONGEST for word in words):
        raise BadSwitch(f"At most {MOST_ARGUMENTS} printable arguments of at most {LONGEST} characters.")


def _check_programs(wanted: Configuration) -> None:
    if any(words and not PROGRAM.fullmatch(words[0]) for words in (wanted.off, wanted.on)):
        raise BadSwitch("The command is the plain name of a program in LAYERWISE_POWER_COMMANDS.")


def _check_call(wanted: Configuration) -> None:
    if wanted.method not in METHODS:
        raise BadSwitch(f"The method is one of {', '.join(METHODS)}.")
    for words in (wanted.off, wanted.on):
        if len(words) > 1:
            raise BadSwitch("One address each.")
        for address in words:
            check_address_text(address)
    if len(wanted.headers) > MOST_HEADERS:
        raise BadSwitch(f"At most {MOST_HEADERS} headers.")
    for name, value in wanted.headers:
        if not HEADER.fullmatch(name) or name.lower() in OURS:
            raise BadSwitch(f"{name[:40]!r} is no header that may be set.")
        if not value.isprintable() or not value.isascii() or len(value) > LONGEST:
            raise BadSwitch(f"The header {name!r} has a value that cannot be sent.")


def check_address_text(address: str) -> None:
    """Raises BadSwitch unless it is the plain address of an HTTP server."""
    try:
        parts, _ = urlsplit(address), urlsplit(address).port
    except ValueError as error:
        raise BadSwitch("The address cannot be read.") from error
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        raise BadSwitch("The address has characters that no address has.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadSwitch("The address begins with http:// or https:// and names a host.")
    if "@" in parts.netloc:
        raise BadSwitch("User and password belong into a header, not into the address.")
    if parts.fragment:
        raise BadSwitch("The address ends with a fragment (#), which no server would see.")


def _cipher() -> Fernet:
    """A key derived from the site's secret, for this purpose only."""
    digest = hashlib.sha256(b"power switches:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
