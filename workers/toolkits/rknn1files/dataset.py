"""The toolkit's data set: one sample a line, its inputs separated by blanks, four-dimensional arrays as NHWC."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.toolkits.onnxjob.samples import Samples
from workers.toolkits.onnxjob.source import Source

FOLDER = "dataset"
CALIBRATION = f"{FOLDER}/dataset.txt"
EVALUATION = f"{FOLDER}/evaluation.txt"
Array = NDArray[Any]


def write_calibration(folder: Path, samples: Samples, source: Source) -> Iterator[int]:
    """Write the calibration samples below `folder`; yields how many are written so far.

    Every sample was checked against the graph's shape before: the toolkit would resize it without a word [TS 6.6].
    """
    (folder / FOLDER).mkdir()
    with (folder / CALIBRATION).open("w", encoding="ascii") as listing:
        for index in range(len(samples)):
            listing.write(_save(folder, samples.prepared(index), source, f"{index:06d}"))
            yield index + 1


def write_evaluation(folder: Path, feed: Mapping[str, Array], source: Source) -> None:
    """Write the one sample that accuracy_analysis may have [UG 7.12]."""
    (folder / EVALUATION).write_text(_save(folder, feed, source, "evaluation"), encoding="ascii")


def _save(folder: Path, feed: Mapping[str, Array], source: Source, stem: str) -> str:
    """Save one sample; its line. Paths are relative to the job's folder, so that no name of it matters."""
    names = [f"{FOLDER}/{stem}-{number}.npy" for number in range(len(source.inputs))]
    for name, one in zip(names, source.inputs, strict=True):
        np.save(folder / name, feed[one.name] if source.is_turned else nhwc(feed[one.name]))
    return " ".join(names) + "\n"


def nhwc(value: Array) -> Array:
    """NHWC of four dimensions that lie NCHW, else as it is: so lie data sets of any network [UG 7.4, TS 4.3-4.4]."""
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value
