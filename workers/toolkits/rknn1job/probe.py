"""What this RKNN-Toolkit 1.x can do: its own config() is asked for each platform, data type and algorithm."""

import json
import os
from typing import Any, Dict

from workers.toolkits.rknn1job.calls import Failed, done
from workers.toolkits.rknn1job.channel import error, leave
from workers.toolkits.rknn1job.package import opened, version
from workers.toolkits.rknn1job.packages import formats_with_packages
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
    formats = formats_with_packages(job["formats"], job["needs"])
    words = {"dtypes": dtypes, "algorithms": algorithms, "formats": formats}
    return dict(words, version=found, title=title)


def takes(rknn: Any, platform: str, dtype: str, **more: str) -> bool:
    """Does config() take it? [UG 7.2] does not say how it refuses; an exception and -1 both count."""
    kind = {} if dtype == FLOAT else {"quantized_dtype": DTYPES[dtype]}
    try:
        done("config", rknn.config, target_platform=[platform], **kind, **more)
    except Failed:
        return False
    return True
