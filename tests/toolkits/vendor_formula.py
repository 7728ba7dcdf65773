"""RKNN-Toolkit2's own formulas, in its own interpreter: `python -m tests.toolkits.vendor_formula FLOATS QUANTIZED`.

Of every layer that both dumps hold, in their order: its cosine, from sums of float32 as the toolkit's NumPy makes them,
and its euclidean distance rounded to float32. Found out by trying: these give every digit that 2.5.0 prints. What comes
out is JSON, a map of the layer's name to [cos, euc] as texts.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from similarity.dumpfile import DumpFile

Tensor = NDArray[np.float32]


def cosine(golden: Tensor, simulated: Tensor) -> float:
    """The dot product over the norms, all in float32."""
    norms = np.linalg.norm(golden) * np.linalg.norm(simulated)
    return float(np.dot(golden, simulated) / norms)


def euclidean(golden: Tensor, simulated: Tensor) -> float:
    """The norm of the difference, rounded to float32."""
    return float(np.float32(np.linalg.norm(golden.astype(np.float64) - simulated.astype(np.float64))))


def table(floats: Path, quantized: Path) -> dict[str, list[str]]:
    """Each layer's figures with five decimals, as the toolkit prints them."""
    with DumpFile.open(floats) as golden, DumpFile.open(quantized) as simulated:
        pairs = (
            (layer.name, golden.values(layer.key).ravel(), simulated.values(layer.key).ravel())
            for layer in golden.layers
        )
        return {name: [f"{cosine(*pair):.5f}", f"{euclidean(*pair):.5f}"] for name, *pair in pairs}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(table(Path(sys.argv[1]), Path(sys.argv[2]))))
