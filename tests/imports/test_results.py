"""The child that read a stranger's file may have been taken over: of its result only what can be true is believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from similarity.dumpfile import layer_of, write_dump
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.importing import checked

Result = dict[str, Any]
ODD = (JobError, KeyError, TypeError, ValueError, AttributeError, OverflowError)  # all of them end the job


def good() -> Result:
    score = {"scope": "entire", "name": "c", "op": "Conv", "dtype": "u8", "key": "c", "shape": [1, 2]}
    time = {"name": "c", "op": "CONVOLUTION", "target": "NN", "uid": 1, "time_us": 9.5}
    table = {"kind": "times", "label": "perf", "origin": "p.txt", "facts": {"total_us": 9.5, "fps": None}}
    return {
        "dumps": [{"rung": "converted", "file": "converted.safetensors", "origin": "golden/"}],
        "scores": [score | {"printed": {"cosine": "0.99998"}}],
        "tables": [table | {"rows": [time]}],
        "parts": [{"where": "p.txt", "what": "times"}],
        "ignored": {"count": 0, "names": []},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    array = np.ones((1, 2), np.float32)
    with JobFolder(tmp_path, "import-1") as opened:
        for rung in ("converted", "odd rung"):
            path = opened.path / f"{rung.replace(' ', '-')}.safetensors"
            write_dump(path, rung, [layer_of(array, "c")], [array])
        write_dump(opened.path / "sim.safetensors", "board", [layer_of(array, "c")], [array], simulated=True)
        yield opened


def test_a_good_result_is_believed(folder: JobFolder) -> None:
    found = checked(folder, good())
    assert (len(found.dumps), found.scores[0].printed, found.tables[0].rows[0]["uid"]) == (
        1, {"cosine": "0.99998"}, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["dumps"][0].update(file="../../etc/passwd"),
        lambda r: r["dumps"][0].update(file="missing.safetensors"),
        lambda r: r["dumps"][0].update(rung="board"),
        lambda r: r["dumps"][0].update(rung="odd rung", file="odd-rung.safetensors"),
        lambda r: r["dumps"][0].update(rung="board", file="sim.safetensors"),
        lambda r: r["scores"][0].update(scope="everything"),
        lambda r: r["scores"][0].update(printed={"cosine": "<b>"}),
        lambda r: r["scores"][0].update(printed={"cosine": "1" * 50}),
        lambda r: r["scores"][0].update(printed={"cosine": 0.5}),
        lambda r: r["scores"][0].update(name=None),
        lambda r: r["scores"][0].update(shape=["x"]),
        lambda r: r["tables"][0].update(kind="secrets"),
        lambda r: r["tables"][0]["rows"][0].update(time_us=float("nan")),
        lambda r: r["tables"][0]["rows"][0].update(time_us=10**400),
        lambda r: r["tables"][0]["rows"][0].update(uid=1 << 60),
        lambda r: r["tables"][0]["rows"][0].pop("name"),
        lambda r: r.update(scores=r["scores"] * 70_000),
        lambda r: r.update(parts=[{}]),
        lambda r: r.pop("ignored"),
    ],
)
def test_an_odd_result_is_not(folder: JobFolder, change: Callable[[Result], object]) -> None:
    result = good()
    change(result)
    with pytest.raises(ODD):
        checked(folder, result)


def test_texts_are_made_fit_for_a_database(folder: JobFolder) -> None:
    result = json.loads(json.dumps(good()).replace('"name": "c"', '"name": "a\\u0000\\ud800\\u202e"'))
    assert checked(folder, result).scores[0].name == "a___"


def test_metrics_that_nobody_knows_are_left_out(folder: JobFolder) -> None:
    result = good()
    result["scores"][0]["printed"]["secret"] = "x"
    assert checked(folder, result).scores[0].printed == {"cosine": "0.99998"}
