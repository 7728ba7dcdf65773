"""The demonstration: the forum's network through both routes, by the public API, to a report."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from dashboard.demo.client import Client

GIVE_UP_SECONDS = 600
POLL_SECONDS = 0.5
MODEL = "super-resolution x4"
INPUT, SCALE_255 = "inputs", {"mean": [0.0], "std": [255.0]}  # the network takes 0..1
ROUTES = ("direct", "traced")

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demonstration could not come to its report; the text says why."""


def build_example(folder: Path) -> dict[str, Path]:
    """The example's files, made by its own script: two ONNX files and two input sets."""
    subprocess.run([sys.executable, "-m", "examples.build", str(folder)], cwd=settings.BASE_DIR, check=True)
    names = {"direct": "direct.onnx", "traced": "traced.onnx", "calibration": "calibration.zip",
             "evaluation": "evaluation.zip"}  # fmt: skip
    return {name: folder / file for name, file in names.items()}


def evaluate(client: Client, files: dict[str, Path], board: str | None, say: Say) -> dict[str, Any]:
    """Upload, ask, wait. What is there already is found again by its content, so nothing is added twice."""
    project = client.get("/projects/")["results"][0]["id"]  # a token sees its own project only
    model = client.post("/models/", {"project": project, "name": MODEL})
    sets = {
        purpose: client.upload(
            "/input-sets/",
            {"project": str(project), "name": f"{MODEL}: {purpose}", "purpose": purpose},
            {"file": files[purpose]},
        )
        for purpose in ("calibration", "evaluation")
    }
    version = client.upload(
        "/versions/", {"model": str(model["id"])}, {f"source.{route}": files[route] for route in ROUTES}
    )
    say(f"  uploaded version {version['number']} of {model['name']} with routes {', '.join(ROUTES)}")
    request = {
        "version": version["id"],
        "recipe": {"toolkit": "reference", "platform": "rv1126", "inputs": {INPUT: SCALE_255}},
        "calibration": sets["calibration"]["id"],
        "samples": sets["evaluation"]["id"],
    }
    return wait(client, ask(client, request, board), say)


def ask(client: Client, request: dict[str, Any], board: str | None) -> dict[str, Any]:
    """Request the evaluation; one that ended without all its numbers is asked for anew."""
    content = hashlib.sha256(repr(sorted(request.items())).encode()).hexdigest()[:32]
    for again in range(100):
        key = {"Idempotency-Key": f"demo-{content}-{board or 'any'}-{again}"}
        evaluation: dict[str, Any] = client.post("/evaluations/", request, key)
        if evaluation["ended_at"] is None or is_complete(evaluation):
            return evaluation
    raise DemoFailed("A hundred evaluations have failed; something is wrong with this installation.")


def wait(client: Client, evaluation: dict[str, Any], say: Say) -> dict[str, Any]:
    """Poll until the evaluation has ended, saying what is under way. Raises DemoFailed after ten minutes."""
    until, said = time.monotonic() + GIVE_UP_SECONDS, ""
    while evaluation["ended_at"] is None:
        if time.monotonic() > until:
            raise DemoFailed(
                f"The evaluation has not ended after {GIVE_UP_SECONDS} s: {progress(evaluation)}"
            )
        if (now := progress(evaluation)) != said:
            said = now
            say(f"  {now}")
        time.sleep(POLL_SECONDS)
        evaluation = client.get(f"/evaluations/{evaluation['id']}/")
    return evaluation


def progress(evaluation: dict[str, Any]) -> str:
    """One line: where each route is."""
    return "; ".join(f"{leg['route']}: {_where(leg)}" for leg in evaluation["legs"])


def is_complete(evaluation: dict[str, Any]) -> bool:
    """Did every job of every leg succeed, the board's included?"""
    legs = evaluation["legs"]
    return bool(legs) and all(
        leg["run"] and leg["on_board"] and all(job["state"] == "succeeded" for job in leg["jobs"])
        for leg in legs
    )


def _where(leg: dict[str, Any]) -> str:
    running = [job for job in leg["jobs"] if job["state"] == "running"]
    waiting = [job for job in leg["jobs"] if job["state"] == "queued"]
    for job in running:
        return f"{job['kind']} ({job['stage'] or 'starting'})"
    if waiting:
        return f"{waiting[0]['kind']} waits"
    return "done" if leg["ended_at"] else "inspection"
