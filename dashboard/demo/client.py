"""The demonstration's way to the site: the public REST API and nothing else, as a training job would use it."""

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60


class ApiError(Exception):
    """The API said no; the text is its message and detail."""


class Client:
    """Calls `<address>api/v1/...` with a project's token."""

    def __init__(self, address: str, token: str) -> None:
        self._root = address.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, data: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        body = json.dumps(data).encode()
        return self._call("POST", path, body, {"Content-Type": "application/json", **(headers or {})})

    def upload(self, path: str, fields: Mapping[str, str], files: Mapping[str, Path]) -> Any:
        """POST multipart/form-data; the example's files are small enough to be built in memory."""
        boundary = secrets.token_hex(16)
        parts = [_part(boundary, f'name="{name}"', value.encode()) for name, value in fields.items()]
        parts += [
            _part(boundary, f'name="{name}"; filename="{file.name}"', file.read_bytes())
            for name, file in files.items()
        ]
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        return self._call("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})

    def _call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address is our own site's
            self._root + path, body, {**self._headers, **(headers or {})}, method=method
        )
        try:
            # the address is our own site's, from run.json
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # nosec B310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ApiError(
                f"{method} {path}: {error.code} {error.read(2000).decode(errors='replace')}"
            ) from error


def _part(boundary: str, disposition: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"
