"""Where boards may be: the one place that judges an address, and the only one that follows a name.

A number has one spelling here. What a resolver would also take for one (2130706433, 0x7f.1, 127.1, 0177.0.0.1) is
refused as a name, and an IPv4 address inside an IPv6 one (::ffff:10.0.0.1) is judged as the IPv4 address that the
kernel would connect to. Who connects, connects to the number that `whereabouts` returned: a name is looked up once.
"""

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

PART = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
NAME = re.compile(rf"(?=.{{1,253}}\Z){PART}(\.{PART})*")
LIKE_A_NUMBER = re.compile(
    r"(0[xX][0-9A-Fa-f]*|[0-9]+)\Z"
)  # as the last part of a name: inet_aton would read it
Number = IPv4Address | IPv6Address
LookUp = Callable[..., Sequence[tuple[Any, ...]]]


class AddressRefused(ValueError):
    """The address is not in a network that may hold boards (LAYERWISE_BOARD_NETWORKS), or no address at all."""


def check_address(address: str) -> None:
    """Raises AddressRefused for what can be no board's address. Names pass: `whereabouts` checks where they lead."""
    if _number(address) is not None:
        if not is_within(address, settings.BOARD_NETWORKS):
            raise AddressRefused(f"{address} is outside LAYERWISE_BOARD_NETWORKS.")
    elif not NAME.fullmatch(address) or LIKE_A_NUMBER.match(address.rpartition(".")[2]):
        raise AddressRefused(
            "This is neither a host name nor an address: write IPv4 as four decimal numbers (192.168.1.5) "
            "and IPv6 without brackets and zone."
        )


def whereabouts(address: str, port: int, look_up: LookUp) -> str:
    """The number to connect to: the address itself, or what its name leads to now, in an allowed network.

    `look_up` answers as socket.getaddrinfo does. Of several allowed numbers IPv4 comes first: few boards speak IPv6.
    Raises AddressRefused, and what `look_up` raises when the name leads nowhere.
    """
    check_address(address)
    if _number(address) is not None:
        return address
    found = {entry[4][0]: entry[0] for entry in look_up(address, port)}
    allowed = [number for number in found if is_within(str(number), settings.BOARD_NETWORKS)]
    if not allowed:
        raise AddressRefused("This name leads to no address in LAYERWISE_BOARD_NETWORKS.")
    return str(min(allowed, key=lambda number: found[number] != socket.AF_INET))


def is_within(number: str, networks: Iterable[str]) -> bool:
    """Does this number name one machine, in one of the networks?

    An IPv4 number inside an IPv6 one is connected to as IPv4, and counts as that. A zone (fe80::1%eth0) means
    another machine on each worker.
    """
    ip = _number(number)
    if ip is None or "%" in number:
        return False
    judged: Number = getattr(ip, "ipv4_mapped", None) or ip
    if judged.is_unspecified or judged.is_multicast:
        return False
    return any(judged in ip_network(network) for network in networks)


def _number(address: str) -> Number | None:
    """The address if it is a number in its plain spelling."""
    try:
        return ip_address(address)
    except ValueError:
        return None
