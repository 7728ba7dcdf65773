"""Write the example's files: `python -m examples.build OUT_DIR`.

Two models (`direct.onnx`, `traced.onnx`) and two input sets (`calibration.zip`, `evaluation.zip`). The bytes
are the same at every call, so that content hashes never change; files that are already right are left alone.
"""

import argparse
from pathlib import Path

from examples import network, pictures


def build(folder: Path) -> list[Path]:
    """Write the example's files into `folder`, which is made if needed, and return their paths in that order.

    Raises FileNotFoundError when the packages with the photographs are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in contents().items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
        paths.append(path)
    return paths


def contents() -> dict[str, bytes]:
    """Return the bytes of each file by its name."""
    weights = network.load_weights()
    held_out = {name: pair.low for name, pair in pictures.held_out_pairs().items()}
    return {
        "direct.onnx": network.direct(weights).SerializeToString(deterministic=True),
        "traced.onnx": network.traced(weights).SerializeToString(deterministic=True),
        "calibration.zip": pictures.as_zip(pictures.calibration_pictures()),
        "evaluation.zip": pictures.as_zip(held_out),
    }


def main() -> None:
    """Build and print what was written."""
    parser = argparse.ArgumentParser(description="Write the example network's files.")
    parser.add_argument("folder", type=Path, help="where to write; made if needed")
    for path in build(parser.parse_args().folder):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
