"""Asking a toolkit, in a throw-away child of its own interpreter, what it can do."""

import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.conversions.offered import BadOffer, Offered
from dashboard.conversions.offers import NEEDS, OFFERS
from workers.child import Limits
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.jobs import run_old_script, run_script

logger = logging.getLogger(__name__)
OLD = ("rknn1",)  # in an interpreter too old for our other scripts
LIMITS = Limits(seconds=120, silence_seconds=120, memory_mb=4096, file_mb=256)
ATTEMPTS = 3
MAY_PASS = ("toolkit:crashed", "toolkit:out-of-memory", "toolkit:disk-full")  # a hang is waited for once only


@cache
def probed(toolkit: str, python: Path | None = None) -> Offered | None:
    """What `workers/toolkits/<toolkit>_probe.py` (rknn1: rknn1job/probe.py) found out by this interpreter (None: ours);
    None when it failed.

    Asked once, before the worker's pool is forked: an interpreter that is exchanged is noticed by the next start. A
    probe that was killed or starved is tried again, or the worker would be without the toolkit for as long as it lives.
    """
    where = python or "this environment"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask(toolkit, python)
        except BadOffer as error:
            logger.warning("%s in %s is not offered: %s", toolkit, where, error)
            return None
        except JobError as error:
            logger.warning("%s in %s did not answer (%d): %s", toolkit, where, attempt, error.detail)
            if error.code not in MAY_PASS:
                break
    logger.warning("%s in %s is not offered", toolkit, where)
    return None


def ask(toolkit: str, python: Path | None) -> Offered:
    """Run the probe and check what it says. Raises JobError or BadOffer."""
    legal = OFFERS[toolkit]
    with (
        tempfile.TemporaryDirectory(prefix="layerwise-") as root,
        JobFolder(Path(root), f"probe-{toolkit}") as folder,
    ):
        words = {"dtypes": dict(legal.dtypes), "algorithms": dict(legal.algorithms), "formats": legal.formats}
        folder.write_job({"kind": "probe", **words, "needs": dict(NEEDS.get(toolkit, {}))})
        how: Any = {"limits": LIMITS, "on_event": lambda event: None, "should_stop": lambda: False}
        if python and toolkit in OLD:
            found = run_old_script("probe", folder, python=python, **how)
        else:
            found = run_script(f"{toolkit}_probe", folder, python=python, **how)
    return Offered.from_dict({**found, "toolkit": toolkit})
