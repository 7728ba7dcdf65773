"""Reading settings from the environment: a bad value stops the start and names the variable."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
TLS_OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey")  # of libpq
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def read(name: str, default: str | None = None) -> str:
    """The variable's text; without a default it must be set."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} must be set (see .env.example).")
    return value


def convert(name: str, default: T, to: Callable[[str], T], kind: str) -> T:
    text = os.environ.get(name)
    if text is None or text == "":
        return default
    try:
        return to(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be {kind}, not {text!r}: {error}") from error


def integer(name: str, default: int, minimum: int = 0) -> int:
    def parse(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise ValueError(f"the smallest allowed value is {minimum}")
        return value

    return convert(name, default, parse, "a whole number")


def boolean(name: str, default: bool) -> bool:
    def parse(text: str) -> bool:
        if text.lower() in TRUE:
            return True
        if text.lower() in FALSE:
            return False
        raise ValueError("use 1 or 0")

    return convert(name, default, parse, "1 or 0")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without empty entries."""
    return [word.strip() for word in read(name, default).split(",") if word.strip()]


def networks(name: str, default: str) -> list[str]:
    """A comma-separated list of networks like 10.0.0.0/8."""
    return convert(
        name, default.split(","), lambda text: [_network(word) for word in text.split(",")], "networks"
    )


def _network(word: str) -> str:
    return str(ip_network(word.strip()))


def matching(name: str, default: str, pattern: str, kind: str) -> str:
    """Text that fits the regular expression from end to end."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"it must look like {default}")
        return text

    return convert(name, default, parse, kind)


def path(name: str, default: Path) -> Path:
    return convert(name, default, lambda text: Path(text).expanduser().resolve(), "a path")


def paths(name: str, default: list[Path]) -> list[Path]:
    """Paths separated as in PATH, without empty entries. Links stay: the interpreter of an environment is one."""

    def parse(text: str) -> list[Path]:
        found = [Path(word).expanduser().absolute() for word in text.split(os.pathsep) if word.strip()]
        if not found:
            raise ValueError("it names none")
        return found

    return convert(name, default, parse, f"paths separated by {os.pathsep}")


@dataclass(frozen=True)
class Bucket:
    """A place in object storage: a bucket, what every key in it begins with, and the server that has it."""

    name: str
    prefix: str
    endpoint: str  # empty: Amazon's own
    region: str


def bucket(name: str) -> Bucket | None:
    """The place that `s3://bucket/prefix?endpoint=https://host:port&region=name` names; None for another address."""

    def parse(text: str) -> Bucket | None:
        if "://" not in text:
            return None
        parts, options = urlsplit(text), dict(parse_qsl(urlsplit(text).query, strict_parsing=False))
        if parts.scheme != "s3" or parts.username or parts.password:
            raise ValueError(
                "it must be a folder or s3://bucket/prefix?endpoint=..., without a password in it"
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", parts.netloc):
            raise ValueError("the bucket's name has 3 to 63 small letters, digits, dots and hyphens")
        if strange := set(options) - {"endpoint", "region"}:
            raise ValueError(f"unknown: {', '.join(sorted(strange))}")
        endpoint = options.get("endpoint", "")
        if endpoint and not re.fullmatch(r"https?://[^/?#@]+/?", endpoint):
            raise ValueError("endpoint must be an address like https://host:9000")
        prefix = parts.path.strip("/")
        return Bucket(
            parts.netloc, f"{prefix}/" if prefix else "", endpoint, options.get("region", "us-east-1")
        )

    try:
        return parse(os.environ.get(name, ""))
    except ValueError as error:  # the address may hold a password, where none belongs: it is not repeated
        raise ImproperlyConfigured(f"{name} is not an address of a store: {error}") from error


def database(name: str, default: Path) -> dict[str, object]:
    """Django's database settings from `sqlite:///file` or `postgres://user:password@host:port/name`.

    Behind a `?` PostgreSQL's sslmode, sslrootcert, sslcert and sslkey may follow.
    """
    url = os.environ.get(name) or f"sqlite:///{default}"
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError as error:  # the address itself may hold a password: it is not repeated
        raise ImproperlyConfigured(f"{name} is not an address: its host or port makes no sense.") from error
    if parts.scheme == "sqlite":
        return _sqlite(parts.path[1:] if parts.path.startswith("//") else parts.path)
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"connect_timeout": 5, **_tls(name, parts.query)},
        }
    raise ImproperlyConfigured(f"{name} must start with sqlite:/// or postgres://, not {parts.scheme!r}.")


def _tls(name: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query))
    if strange := sorted(set(options) - set(TLS_OPTIONS)):
        raise ImproperlyConfigured(f"{name} knows {', '.join(TLS_OPTIONS)}, not {', '.join(strange)}.")
    return options


def _sqlite(file: str) -> dict[str, object]:
    """WAL, and transactions that take the write lock at once: a deferred one fails without waiting."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": file,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
