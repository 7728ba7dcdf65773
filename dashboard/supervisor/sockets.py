"""Where the processes listen: a busy port means the next one, never a failure."""

import errno
import socket

TRIES = 100


class NoFreePort(Exception):
    """Every port tried was taken."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket on `port` or the first free one after it (100 are tried); 0: the system chooses.

    The supervisor keeps the socket open and hands it down, so a site that is started again keeps its port.
    Raises NoFreePort, or OSError when the host is not one of this machine's addresses.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + TRIES, 65536)) if port else [0]:
        server = socket.socket(family, socket.SOCK_STREAM)
        # Without it a port is refused for a minute after its last connection; it never allows two listeners.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, candidate))
            server.listen(128)
            return server
        except OSError as error:
            server.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise NoFreePort(f"No free port on {host} from {port} to {port + TRIES - 1}; choose another with --port.")


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with listen(host, 0) as server:
        return int(server.getsockname()[1])
