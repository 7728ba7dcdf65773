"""The parts of an upload: one file, or the two files of a format that needs two, which come as a zip."""

import json
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.toolkits.onnxjob.jobside import Refused

HEAD = 4096
CHUNK = 1 << 20
ENTRIES = 20_000
TEXT_BYTES = 64 << 20
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Part:
    """One file of an upload: a file by itself (`member` empty), or a member of the zip at `path`."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        return self.member or self.path.name

    def chunks(self, most: int) -> Iterator[bytes]:
        """Its bytes piece by piece, at most `most` of them. Raises Refused model:unsupported-format when damaged."""
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    yield from _pieces(file.read, most)
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as member:
                    yield from _pieces(member.read, most)
        except DAMAGED as error:
            raise Refused("model:unsupported-format", f"{self.name!r:.200} is damaged: {error}") from error

    def read(self, most: int) -> bytes:
        """The first `most` bytes."""
        return b"".join(self.chunks(most))

    def head(self) -> bytes:
        return self.read(HEAD)

    def text(self) -> str:
        """All of it as text. Raises Refused model:too-large for more than text can sensibly be."""
        data = self.read(TEXT_BYTES + 1)
        if len(data) > TEXT_BYTES:
            raise Refused("model:too-large", f"{self.name!r:.200} has more than {TEXT_BYTES} bytes of text.")
        return data.decode("utf-8", errors="replace")

    def copy_to(self, target: Path, most: int) -> Path:
        """Write it to `target`, which is returned. Raises Refused model:too-large beyond `most` bytes."""
        written = 0
        with target.open("wb") as file:
            for piece in self.chunks(most + 1):
                written += file.write(piece)
        if written > most:
            raise Refused("model:too-large", f"{self.name!r:.200} unpacks to more than {most} bytes.")
        return target


def _pieces(read: object, most: int) -> Iterator[bytes]:
    assert callable(read)
    left = most
    while left > 0 and (piece := read(min(CHUNK, left))):
        left -= len(piece)
        yield piece


def members(path: Path) -> list[Part]:
    """The files in the zip at `path`. Raises Refused for one that is damaged, has a link or too many entries."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except DAMAGED as error:
        raise Refused("model:unsupported-format", f"The zip is damaged: {error}") from error
    if len(infos) > ENTRIES:
        raise Refused("model:too-complex", f"The zip has {len(infos)} entries.")
    if any(stat.S_IFMT(info.external_attr >> 16) == stat.S_IFLNK for info in infos):
        raise Refused("model:unsupported-format", "The zip holds a link.")
    names = [info.filename for info in infos if not info.is_dir()]
    return [Part(path, name) for name in names if not set(PurePosixPath(name).parts) & set(IGNORED)]


def as_json(text: str) -> object:
    """The JSON value in `text`, None when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
