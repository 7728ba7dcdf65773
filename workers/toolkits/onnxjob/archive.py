"""Taking an uploaded zip apart without believing what it says about itself."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workers.toolkits.onnxjob.jobside import Refused

ENTRIES = 100_000
RATIO = 200
FREE_BYTES = 100 << 20  # Small archives may be as compressible as they like.
CHUNK = 1 << 20
ARCHIVES = (".zip", ".npz", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def is_zip(path: Path) -> bool:
    """Whether the file begins like a zip with entries."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def entries(path: Path, most: int, *, suffix: str = "") -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file in the zip at `path`, sorted by name; `suffix` is cut from the names.

    Every name is checked before the first byte is unpacked, and real bytes are counted while unpacking:
    declared sizes lie. Raises Refused data:unreadable, data:unsafe-path or data:too-large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = _checked(archive, most)
            left = most
            for info in files:
                data = _unpacked(archive, info, left)
                left -= len(data)
                yield info.filename.removesuffix(suffix), data
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Refused("data:unreadable", f"The archive is damaged or encrypted: {error}") from error


def _checked(archive: zipfile.ZipFile, most: int) -> list[zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > ENTRIES:
        raise Refused("data:too-large", f"The archive has {len(infos)} entries; {ENTRIES} are allowed.")
    names: set[str] = set()
    for info in infos:
        refuse_unsafe(info)
        if info.filename in names:
            raise Refused("data:unsafe-path", f"{info.filename!r} is twice in the archive.")
        names.add(info.filename)
    files = [info for info in infos if not info.is_dir() and not _is_ignored(info.filename)]
    declared = sum(info.file_size for info in files)
    packed = sum(info.compress_size for info in files)
    if declared > most or declared > FREE_BYTES + RATIO * max(packed, 1):
        raise Refused(
            "data:too-large", f"The archive unpacks to {declared} bytes from {packed}; {most} are allowed."
        )
    _refuse_overlap(files)
    return sorted(files, key=lambda info: info.filename)


def _refuse_overlap(files: list[zipfile.ZipInfo]) -> None:
    """Entries that share their bytes make a bomb whose every single entry looks harmless."""
    end = -1
    for info in sorted(files, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("data:too-large", "Entries of the archive overlap.")
        end = info.header_offset + 30 + info.compress_size


def refuse_unsafe(info: zipfile.ZipInfo) -> None:
    """Refused data:unsafe-path for names that lead out of the folder, and for links and devices."""
    name = info.orig_filename
    path = PurePosixPath(name.replace("\\", "/"))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\0" in name or name[1:2] == ":" or not path.parts:
        raise Refused("data:unsafe-path", f"The archive holds {name[:200]!r}.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused("data:unsafe-path", f"{name[:200]!r} is a link or a device.")


def _is_ignored(name: str) -> bool:
    return any(part in IGNORED for part in PurePosixPath(name).parts)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    parts = []
    with archive.open(info) as member:
        while part := member.read(CHUNK):
            most -= len(part)
            if most < 0:
                raise Refused(
                    "data:too-large",
                    f"{info.filename[:200]!r} unpacks to more than is left of what is allowed.",
                )
            parts.append(part)
    return b"".join(parts)
