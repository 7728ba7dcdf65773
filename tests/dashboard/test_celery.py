"""How Celery is told to speak to Redis."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

LOOK = "from dashboard.celery import app; print(app.connection_for_write().ssl)"


def told(url: str, folder: Path) -> str:
    """What a process with this REDIS_URL says of its connection's TLS."""
    return subprocess.run(
        [sys.executable, "-c", LOOK], env={**os.environ, "REDIS_URL": url, "LAYERWISE_DATA": str(folder)},
        cwd=settings.BASE_DIR, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_the_certificate_of_redis_is_verified(tmp_path: Path) -> None:
    assert "CERT_REQUIRED" in told("rediss://:secret@redis.example:6380/0", tmp_path)


def test_an_authority_of_ones_own_is_passed_on(tmp_path: Path) -> None:
    assert "'/etc/ca.pem'" in told("rediss://:secret@redis.example:6380/0?ssl_ca_certs=/etc/ca.pem", tmp_path)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "redis+socket:///tmp/redis.sock"])
def test_without_tls_nothing_is_asked_of_it(tmp_path: Path, url: str) -> None:
    assert told(url, tmp_path).strip() in ("None", "False")
