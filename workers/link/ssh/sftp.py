"""Files by SFTP, for boards without cat or sha256sum: slower, verified by reading back what was written."""

import hashlib
from contextlib import AbstractContextManager
from pathlib import Path

import paramiko

from workers.link.base import Received, board_failure
from workers.link.localfile import Incoming, Outgoing

BLOCK = 256 * 1024
REQUESTS = 128  # without a cap small servers freeze, with a small one the transfer crawls


def put_by_sftp(opened: AbstractContextManager[paramiko.SFTPClient], local: Path, remote: str) -> Received:
    """Send a file; it takes its place only when what was read back equals what was sent."""
    outgoing, part = Outgoing(local), remote + ".part"
    with opened as sftp:
        with sftp.open(part, "wb") as file:
            file.set_pipelined(True)
            for block in outgoing.blocks():
                file.write(bytes(block))
        if _hash_of(sftp, part) != outgoing.received.sha256:
            raise board_failure("board:link-lost", f"{remote} arrived damaged")
        sftp.posix_rename(part, remote)
    return outgoing.received


def get_by_sftp(
    opened: AbstractContextManager[paramiko.SFTPClient],
    remote: str,
    local: Path,
    max_bytes: int,
    sha256: str | None,
) -> Received:
    """Fetch a file of at most `max_bytes`; without `sha256` it is read twice."""
    with Incoming(local, max_bytes) as incoming, opened as sftp:
        expected = sha256 or _hash_of(sftp, remote)
        with sftp.open(remote, "rb") as file:
            file.prefetch(file.stat().st_size, max_concurrent_requests=REQUESTS)
            while data := file.read(BLOCK):
                incoming.add(data)
        return incoming.keep(expected)


def _hash_of(sftp: paramiko.SFTPClient, remote: str) -> str:
    digest = hashlib.sha256()
    with sftp.open(remote, "rb") as file:
        file.prefetch(file.stat().st_size, max_concurrent_requests=REQUESTS)
        while data := file.read(BLOCK):
            digest.update(data)
    return digest.hexdigest()
