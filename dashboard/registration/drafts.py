"""What somebody says of a new board, and what is wrong with it: the same rules for page, API and command."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dashboard.boards import keys
from dashboard.boards.addresses import AddressRefused, check_address
from dashboard.boards.keys import BadKey, KeyKind
from dashboard.boards.labels import BadLabels, check_labels
from dashboard.boards.models.board import SIMULATION

NPUS = {
    "rknn1": "rknn1: RV1109, RV1126, RK1808",
    "rknn2": "rknn2: RV1126B, RK35xx",
    "sim": "sim: a board of software",
}
NAME = re.compile(r"[\w][\w .()+-]{0,79}")
USERNAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")  # what useradd and busybox adduser take
SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
PLATFORM = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
FOLDER = re.compile(r"/?[A-Za-z0-9._][A-Za-z0-9._-]*(/[A-Za-z0-9._][A-Za-z0-9._-]*)*/?")


class Unfit(ValueError):
    """What was asked for cannot be; `problems` says why, by the name of the field."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems.items()))
        self.problems = problems


@dataclass(frozen=True)
class Draft:
    """A board as it is asked for. The key is made (`key_kind`) unless `private_key` holds one of one's own."""

    name: str
    address: str
    port: int = 22
    username: str = "layerwise"
    site: str = "local"
    platform: str = "rv1126"
    npu: str = "rknn1"
    simulated: bool = False
    labels: tuple[str, ...] = ()
    work_folder: str = ""
    key_kind: KeyKind = KeyKind.ED25519
    private_key: str = field(default="", repr=False)

    @property
    def is_simulated(self) -> bool:
        """A virtual NPU is never taken for a real one, whatever was ticked."""
        return self.simulated or self.npu == SIMULATION

    def checked_key(self) -> str:
        """The private key in OpenSSH's form, made or brought along. Raises Unfit."""
        if not self.private_key.strip():
            return keys.new_private_key(self.key_kind)
        try:
            return keys.imported(self.private_key)
        except BadKey as error:
            raise Unfit({"private_key": str(error)}) from error

    def check(self) -> None:
        """Raises Unfit, with every problem at once."""
        if problems := dict(self._problems()):
            raise Unfit(problems)

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not NAME.fullmatch(self.name):
            yield (
                "name",
                "Up to 80 letters, digits, blanks and . _ - + ( ); it begins with a letter or digit.",
            )
        if not 0 < self.port < 65536:
            yield "port", "A port is a number from 1 to 65535."
        if not USERNAME.fullmatch(self.username):
            yield "username", "Up to 32 letters, digits and . _ -; it begins with a letter."
        if not SITE.fullmatch(
            self.site
        ):  # labs elsewhere run a worker of their own: no list knows all of them
            yield "site", "Up to 40 letters, digits, - and _; it begins with a letter or digit."
        if not PLATFORM.fullmatch(self.platform):
            yield "platform", "Small letters and digits, as in a recipe: rv1126."
        if self.npu not in NPUS:
            yield "npu", f"One of {', '.join(NPUS)}."
        try:
            check_labels(self.labels)
        except BadLabels as error:
            yield "labels", str(error)
        yield from self._places()

    def _places(self) -> Iterator[tuple[str, str]]:
        try:
            check_address(self.address)
        except AddressRefused as error:
            yield "address", str(error)
        if self.work_folder and (
            len(self.work_folder) > 200
            or not FOLDER.fullmatch(self.work_folder)
            or set(self.work_folder.split("/")) & {".", ".."}
        ):
            yield (
                "work_folder",
                "An absolute path, or one below the login's home, without blanks, . and .. in it.",
            )


def labels_from(text: str) -> tuple[str, ...]:
    """The words of a comma- or blank-separated list, without doubles."""
    return tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip().lower()))) if text.strip(" ,") else ()
