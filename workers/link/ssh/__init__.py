"""The way to a board over SSH: the only package that knows paramiko, and the rules that make it safe.

Pinned host key and no other; own socket; a watchdog that cuts the socket at the absolute deadline, because
neither keepalive nor channel timeouts notice every dead peer; an exit status is read only once it arrived.
"""

import logging

from workers.link.ssh.login import Patience, SshTarget, check_host_key, scan_host_key
from workers.link.ssh.sshlink import SshLink, connect

__all__ = ["Patience", "SshLink", "SshTarget", "check_host_key", "connect", "scan_host_key"]

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # each failure is told once, as a JobError
