"""Asking the site whether it is there (/healthz) and whether everything behind it is (/readyz)."""

import http.client
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Status 0 means that nobody answered; `missing` names the parts that /readyz says are not ready."""

    status: int
    missing: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


def ask(host: str, port: int, path: str, timeout_s: float = 2.0) -> Answer:
    """Get `path` from the site on this machine."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        # The site behind a TLS proxy redirects everything else to https.
        connection.request("GET", path, headers={"X-Forwarded-Proto": "https"})
        response = connection.getresponse()
        return Answer(response.status, _missing(response.read(100_000)))
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()


def _missing(body: bytes) -> tuple[str, ...]:
    """The names whose value in {"checks": {name: {"ok": bool}}} or {"checks": {name: bool}} is not good."""
    try:
        checks = json.loads(body)["checks"]
        return tuple(name for name, check in checks.items() if not _is_ok(check))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def _is_ok(check: object) -> bool:
    return bool(check.get("ok")) if isinstance(check, dict) else check in (True, "ok")
