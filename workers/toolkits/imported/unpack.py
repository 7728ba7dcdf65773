"""An uploaded archive (.zip, .tar, .tar.gz) or single file as a tree of files; what it says of itself is not believed.

No name of the archive ever becomes a path: every file lies under a number of ours, and the tree maps names to these.
"""

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from workers.toolkits.imported.damage import damaged
from workers.toolkits.onnxjob.archive import refuse_unsafe
from workers.toolkits.onnxjob.jobside import Refused, stage

Tree = dict[PurePosixPath, Path]
MOST_FILES = 20_000
CHUNK = 1 << 20
GZIP, ZIP, TAR, TAR_AT = b"\x1f\x8b", b"PK\x03\x04", b"ustar", 257
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
Member = tuple[str, IO[bytes]]


def unpack(path: Path, uploaded_name: str, folder: Path, most: int) -> Tree:
    """The files of the upload at `path`, put into `folder`; at most `most` bytes in all.

    Bytes are counted while unpacking: declared sizes lie. Raises Refused data:unsafe-path, import:damaged and
    import:too-large.
    """
    with path.open("rb") as file:
        head = file.read(TAR_AT + len(TAR))
    if head[:4] == ZIP:
        members = _zipped(path)
    elif head[:2] == GZIP or head[TAR_AT:] == TAR:
        members = _tarred(path, "r|gz" if head[:2] == GZIP else "r|")
    else:
        return {PurePosixPath(PurePosixPath(uploaded_name.replace("\\", "/")).name or "file"): path}
    try:
        return _spread(members, folder, most)
    except BROKEN as error:
        raise damaged(f"the archive is damaged or encrypted: {error}") from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the archive's
            raise
        raise damaged(f"the archive is damaged: {error}") from error


def _spread(members: Iterator[Member], folder: Path, most: int) -> Tree:
    folder.mkdir()
    tree: Tree = {}
    left = most
    for name, stream in members:
        place = PurePosixPath(name.replace("\\", "/"))
        if any(part in IGNORED or part.startswith("._") for part in place.parts):
            continue
        if place in tree:
            raise Refused("data:unsafe-path", f"{name[:200]!r} is twice in the archive.")
        if len(tree) == MOST_FILES:
            raise Refused("import:too-large", f"The archive has more than {MOST_FILES} files.")
        target = folder / f"f{len(tree):06d}"
        left -= _copy(stream, target, left, most)
        tree[place] = target
        if len(tree) % 50 == 0:
            stage("unpacking", len(tree), 0)
    return tree


def _copy(stream: IO[bytes], target: Path, left: int, most: int) -> int:
    done = 0
    with target.open("wb") as file:
        while part := stream.read(CHUNK):
            done += len(part)
            if done > left:
                raise Refused("import:too-large", f"The archive unpacks to more than {most // 1_000_000} MB.")
            file.write(part)
    return done


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > 2 * MOST_FILES:  # folders have entries too
            raise Refused("import:too-large", f"The archive has {len(infos)} entries.")
        for info in infos:
            refuse_unsafe(info)
        for info in infos:
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield info.filename, stream


def _tarred(path: Path, mode: str) -> Iterator[Member]:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # "r|" is a mode that typeshed lacks
        for member in archive:
            _refuse_unsafe(member)
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield member.name, stream
            archive.members = []  # it would remember every one


def _refuse_unsafe(member: tarfile.TarInfo) -> None:
    """As refuse_unsafe of zips."""
    place = PurePosixPath(member.name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or "\0" in member.name or member.name[1:2] == ":":
        raise Refused("data:unsafe-path", f"The archive holds {member.name[:200]!r}.")
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise Refused("data:unsafe-path", f"{member.name[:200]!r} is a link, a device or has holes.")
