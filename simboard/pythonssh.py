"""An SSH server without any installed package: paramiko's server classes, real processes, real SFTP."""

import os
import signal
import socket
import subprocess
import threading
import time

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_REQUEST,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from simboard.folder import BoardFolder, user_name
from simboard.sftp import FileSystem

BLOCK = 64 * 1024


class PythonSsh:
    """Answers each connection with a transport of its own, in threads of this process."""

    name = "paramiko"

    def __init__(self, folder: BoardFolder, exec_delay: float) -> None:
        self._folder = folder
        self._delay = exec_delay
        self._key = paramiko.Ed25519Key.from_private_key_file(str(folder.private_key))
        self._transports: list[paramiko.Transport] = []

    def answer(self, connection: socket.socket) -> None:
        """Start to speak SSH on the connection, in the background."""
        transport = paramiko.Transport(connection)
        transport.add_server_key(self._key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, FileSystem)
        transport.auth_timeout = 20
        transport.start_server(event=threading.Event(), server=Login(self._folder, self._delay))
        self._transports.append(transport)

    def tidy(self) -> None:
        """Forget connections that ended."""
        for transport in [each for each in self._transports if not each.is_active()]:
            transport.close()
            self._transports.remove(transport)

    def close(self) -> None:
        """End every connection."""
        for transport in self._transports:
            transport.close()


class Login(paramiko.ServerInterface):
    """One connection: keys of authorized_keys only, commands and SFTP only."""

    def __init__(self, folder: BoardFolder, exec_delay: float) -> None:
        self._folder = folder
        self._delay = exec_delay

    def get_allowed_auths(self, username: str) -> str:
        """Nothing but public keys."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Compare with authorized_keys as it is now; every attempt is logged."""
        lines = self._folder.authorized_keys.read_text().splitlines()
        known = username == user_name() and any(key.get_base64() in line.split() for line in lines)
        with (self._folder.path / "sshd.log").open("a") as log:
            log.write(f"{'Accepted' if known else 'Failed'} publickey for {username}\n")
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Sessions only: no forwarding."""
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run the command as a real process."""
        threading.Thread(target=self._execute, args=(channel, command), daemon=True).start()
        return True

    def _execute(self, channel: paramiko.Channel, command: bytes) -> None:
        time.sleep(self._delay)
        process = subprocess.Popen(
            [b"/bin/sh", b"-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._folder.path / "home",
            env={"USER": user_name(), "LANG": "C.UTF-8", **self._folder.environment},
            start_new_session=True,
        )
        threading.Thread(target=_feed, args=(channel, process), daemon=True).start()
        complaints = threading.Thread(target=_drain, args=(process, channel, True), daemon=True)
        complaints.start()
        _drain(process, channel, False)
        complaints.join()
        _say_how_it_ended(channel, process.wait())


def _feed(channel: paramiko.Channel, process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    try:
        while block := channel.recv(BLOCK):
            process.stdin.write(block)
        process.stdin.close()
    except OSError:
        channel.shutdown_read()  # the process takes no more


def _drain(process: "subprocess.Popen[bytes]", channel: paramiko.Channel, is_error: bool) -> None:
    stream = process.stderr if is_error else process.stdout
    assert stream is not None
    send = channel.sendall_stderr if is_error else channel.sendall
    try:
        while block := os.read(stream.fileno(), BLOCK):
            send(block)
    except OSError:
        pass  # the link is gone: closing the pipe tells the process
    stream.close()


def _say_how_it_ended(channel: paramiko.Channel, status: int) -> None:
    try:
        if status < 0:
            _send_signal(channel, signal.Signals(-status).name.removeprefix("SIG"))
        else:
            channel.send_exit_status(status)
        channel.close()
    except (OSError, EOFError, paramiko.SSHException):
        pass  # nobody is left to hear it


def _send_signal(channel: paramiko.Channel, name: str) -> None:
    """exit-signal of RFC 4254 section 6.10, which paramiko's server side has no call for."""
    message = paramiko.Message()
    message.add_byte(bytes([MSG_CHANNEL_REQUEST]))
    message.add_int(channel.remote_chanid)
    message.add_string("exit-signal")
    message.add_boolean(False)
    message.add_string(name)
    message.add_boolean(False)
    message.add_string("")
    message.add_string("")
    channel.get_transport()._send_user_message(message)  # type: ignore[attr-defined]
