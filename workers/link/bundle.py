"""The agent as one file, named by its hash: a zipapp, the same byte for byte wherever it is built, or a program
built from the C source for one kind of machine."""

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from boardagent import protocol

START = b"import sys\n\nfrom boardagent.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
MACHINE = re.compile(r"[A-Za-z0-9_-]{1,30}")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


@dataclass(frozen=True)
class Bundle:
    """The file's bytes and its name on the board: agent-<first 16 digits of its SHA-256>, a zipapp's with .pyz."""

    name: str
    data: bytes


@cache
def agent_bundle() -> Bundle:
    """The agent of this checkout, packed."""
    package = Path(protocol.__file__).parent
    files = {
        f"boardagent/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*.py"))
    }
    data = _zip({**files, "__main__.py": START})
    return Bundle(f"{_hash_name(data)}.pyz", data)


def c_agent(folder: Path | None, machine: str) -> Bundle | None:
    """The C agent for what `uname -m` calls `machine`; None when the site has none (LAYERWISE_C_AGENTS)."""
    if folder is None or not MACHINE.fullmatch(machine):
        return None
    program = folder / f"layerwise-agent-{machine}"
    if not program.is_file():
        return None
    data = program.read_bytes()
    return Bundle(_hash_name(data), data)


def _hash_name(data: bytes) -> str:
    return f"agent-{hashlib.sha256(data).hexdigest()[:16]}"


def _zip(files: dict[str, bytes]) -> bytes:
    """Stored, not compressed: what zlib makes of the same bytes depends on its version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
