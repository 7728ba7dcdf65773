"""What this RKNN-Toolkit 1.x can do: its own config() is asked for each platform, data type and algorithm."""

import json
import os
import subprocess
import sys
from typing import Any, Dict, List

from workers.toolkits.rknn1job.calls import Failed, done
from workers.toolkits.rknn1job.channel import error, leave
from workers.toolkits.rknn1job.package import opened, version
from workers.toolkits.rknn1job.words import DTYPES, FLOAT


def main(folder: str) -> None:
    """Answer job.json in `folder` by result.json (ARCHITECTURE.md, "Toolkit job `probe`")."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    try:
        result = probe(job)
    except Failed as failed:
        result = error("toolkit:failed", str(failed))
    leave(folder, result)


def probe(job: Dict[str, Any]) -> Dict[str, Any]:
    """Of the words in the job, those that the toolkit takes, and its version. Raises Failed."""
    found = version()
    rknn = opened(verbose=False)
    dtypes = {
        platform: [kind for kind in kinds if takes(rknn, platform, kind)]
        for platform, kinds in job["dtypes"].items()
    }
    algorithms = {
        kind: [
            word
            for word in words
            if any(
                takes(rknn, platform, kind, quantized_algorithm=word)
                for platform, kinds in dtypes.items()
                if kind in kinds
            )
        ]
        for kind, words in job["algorithms"].items()
    }
    rknn.release()
    title = "rknn-toolkit " + found
    words = {"dtypes": dtypes, "algorithms": algorithms, "formats": formats(job["formats"], job["needs"])}
    return dict(words, version=found, title=title)


def formats(legal: List[str], needs: Dict[str, str]) -> List[str]:
    """Those whose package is here and can be imported, where the toolkit needs one."""
    works = {package: is_importable(package) for package in set(needs.values())}
    return [one for one in legal if works.get(needs.get(one, ""), True)]


def is_importable(package: str) -> bool:
    """Tried in a program of its own, which may crash or hang: what is wrong with a package costs its formats only."""
    argv = [sys.executable, "-s", "-c", "import " + package]
    try:
        return subprocess.call(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=40) == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def takes(rknn: Any, platform: str, dtype: str, **more: str) -> bool:
    """Does config() take it? [UG 7.2] does not say how it refuses; an exception and -1 both count."""
    kind = {} if dtype == FLOAT else {"quantized_dtype": DTYPES[dtype]}
    try:
        done("config", rknn.config, target_platform=[platform], **kind, **more)
    except Failed:
        return False
    return True
