"""The example network as TorchScript: `.toolkits/torch/bin/python -m examples.torchscript OUT_DIR`.

Two files, traced by torch.jit.trace: `direct.pt` holds one aten::pixel_shuffle, `traced.pt` the reshape,
six-dimensional permute and reshape that a trace of the forum's day made of it. Needs torch and NumPy only
(`make toolkit-torch`).
"""

import argparse
from pathlib import Path

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
from torch import nn  # type: ignore[import-not-found,unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found,unused-ignore]

WEIGHTS_FILE = Path(__file__).with_name("weights.npz")
SCALE, HEIGHT, WIDTH = 4, 120, 90
FORMS = ("direct", "traced")


class Network(nn.Module):  # type: ignore[misc,unused-ignore]
    """The network of network.py with the same weights; `form` is how the pixel shuffle is written."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        ends = [(3, 64), *[(64, 64)] * 4, (64, 3 * SCALE**2)]
        layers: list[nn.Module] = []
        for taken, given in ends:
            layers += [nn.Conv2d(taken, given, 3, padding=1), nn.PReLU(given)]
        self.body = nn.Sequential(*layers[:-1])
        self.load_state_dict(_weights())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The enlarged picture, 1 x 3 x 480 x 360 for one of 1 x 3 x 120 x 90."""
        large = functional.interpolate(image, scale_factor=SCALE, mode="nearest")
        return self.shuffled(self.body(image)) + large

    def shuffled(self, blocks: torch.Tensor) -> torch.Tensor:
        if self.form == "direct":
            return functional.pixel_shuffle(blocks, SCALE)
        split = blocks.reshape(1, 3, SCALE, SCALE, HEIGHT, WIDTH)
        return split.permute(0, 1, 4, 2, 5, 3).reshape(1, 3, HEIGHT * SCALE, WIDTH * SCALE)


def _weights() -> dict[str, torch.Tensor]:
    with np.load(WEIGHTS_FILE, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}


def build(folder: Path) -> list[Path]:
    """Write both files into `folder`, which is made if needed, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form in FORMS:
        module = torch.jit.trace(Network(form).eval(), torch.zeros(1, 3, HEIGHT, WIDTH))
        paths.append(folder / f"{form}.pt")
        torch.jit.save(module, str(paths[-1]))
    return paths


def main() -> None:
    """Build and print what was written."""
    parser = argparse.ArgumentParser(description="Write the example network as TorchScript.")
    parser.add_argument("folder", type=Path, help="where to write; made if needed")
    for path in build(parser.parse_args().folder):
        print(f"{path}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
