"""A pytest plug-in: with REQUIRE_ALL=1 a skip is a failure, so no machine that lacks something looks green.

Loaded by `make test` (`-p tests.require_all`). An expected failure stays one.
"""

import os
from collections.abc import Generator
from typing import Any

import pytest

IS_WANTED = os.environ.get("REQUIRE_ALL", "") not in ("", "0")


def _refuse(report: Any) -> None:
    if IS_WANTED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"REQUIRE_ALL=1 allows no skip: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A skipped test, or a skip in its fixtures."""
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """A whole module that skips itself."""
    report = yield
    _refuse(report)
    return report
