"""SFTP on the real file system, for the server that is made of paramiko's classes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko
from paramiko.sftp import SFTP_OK

STATUS = paramiko.SFTPServer.convert_errno


class OpenFile(paramiko.SFTPHandle):
    """A file that a client reads or writes, through the base class's `readfile` and `writefile`."""

    def __init__(self, flags: int, file: IO[bytes]) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file

    def stat(self) -> paramiko.SFTPAttributes:
        """Attributes of the open file."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class FileSystem(paramiko.SFTPServerInterface):
    """The files of this machine, with the rights of this process."""

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """What lies in a folder."""
        try:
            return [
                paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name) for entry in Path(path).iterdir()
            ]
        except OSError as error:
            return STATUS(error.errno or 0)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes of what `path` leads to."""
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).stat())
        except OSError as error:
            return STATUS(error.errno or 0)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Attributes of `path` itself."""
        try:
            return paramiko.SFTPAttributes.from_stat(Path(path).lstat())
        except OSError as error:
            return STATUS(error.errno or 0)

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        """Open with the client's flags."""
        try:
            file = os.fdopen(os.open(path, flags, 0o600), "rb" if flags & 3 == os.O_RDONLY else "rb+")
        except OSError as error:
            return STATUS(error.errno or 0)
        return OpenFile(flags, file)

    def remove(self, path: str) -> int:
        """Delete a file."""
        return _done(lambda: Path(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        """Move, unless something is there."""
        return STATUS(17) if Path(newpath).exists() else self.posix_rename(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        """Move, in place of what is there."""
        return _done(lambda: Path(oldpath).replace(newpath))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        return _done(lambda: Path(path).mkdir())

    def rmdir(self, path: str) -> int:
        """Delete an empty folder."""
        return _done(lambda: Path(path).rmdir())


def _done(act: Callable[[], object]) -> int:
    try:
        act()
    except OSError as error:
        return STATUS(error.errno or 0)
    return SFTP_OK
