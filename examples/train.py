"""Train the example network and write its weights: `python -m examples.train [--steps N] [--out FILE]`.

Needs torch (any CPU build of 2.x), which nothing else in this project needs; the result is committed. The
network learns what nearest upsampling lacks: its last layer begins near zero, so training starts there.
"""

import argparse
import math
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
from torch import nn  # type: ignore[import-not-found,unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found,unused-ignore]

from examples.pictures import SCALE, TRAINING, Picture, photograph, shrink

CHANNELS = 64
HIDDEN = 4
"""Convolutions between the first and the last."""

SPREADS = (0.4, 0.8, 0.8, 0.8, 0.8)
"""How unequal the channels begin after each convolution but the last: the standard deviation of the natural
logarithm of their scales. Chosen by the quantized network's table, see README.md."""

PATCH = 24
"""Side of a training patch at low resolution, in pixels."""

BATCH = 16
RATE = 1e-3
WARMUP_STEPS = 100


def build_body() -> Any:
    """Return Conv 3->64, PReLU, 4 x (Conv 64->64, PReLU), Conv 64->48, the last one almost zero."""
    layers: list[Any] = [nn.Conv2d(3, CHANNELS, 3, padding=1), nn.PReLU(CHANNELS)]
    for _ in range(HIDDEN):
        layers += [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.PReLU(CHANNELS)]
    layers.append(nn.Conv2d(CHANNELS, 3 * SCALE * SCALE, 3, padding=1))
    for layer in layers[:-1:2]:
        nn.init.kaiming_normal_(layer.weight, a=0.25)
        nn.init.zeros_(layer.bias)
    nn.init.normal_(layers[-1].weight, std=1e-3)
    nn.init.zeros_(layers[-1].bias)
    spread_channels(layers[::2])
    return nn.Sequential(*layers)


def spread_channels(convolutions: list[Any]) -> None:
    """Give the channels between `convolutions` unequal ranges and leave what the network computes as it is.

    A channel is scaled on its way out of one convolution and scaled back on its way into the next; PReLU lets
    a positive factor through. Fresh channels are all alike and a few minutes of training keep them
    so: such a network suits one scale per tensor better than the networks that people deploy do. Biases are
    still zero here, so they need no scaling.
    """
    for spread, (this, following) in zip(SPREADS, pairwise(convolutions), strict=True):
        gain = torch.exp(spread * torch.randn(CHANNELS))
        with torch.no_grad():
            this.weight *= gain[:, None, None, None]
            following.weight /= gain[None, :, None, None]


def enlarge(body: Any, low: Any) -> Any:
    """Return `low` (N x 3 x H x W, 0..1) four times as large: nearest neighbours plus what `body` adds."""
    return functional.interpolate(low, scale_factor=SCALE, mode="nearest") + functional.pixel_shuffle(
        body(low), SCALE
    )


def training_pictures() -> list[Picture]:
    """Return every training photograph, as it is and (sharper, pixel for pixel) at half its size."""
    whole = [photograph(*source) for source in TRAINING.values()]
    halves = [shrink(picture, 2) for picture in whole]
    return whole + [half for half in halves if min(half.shape[:2]) >= PATCH * SCALE]


def batches(pictures: list[Picture], rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """Yield low and high patches without end: N x 3 x 24 x 24 and N x 3 x 96 x 96, float32, 0..1.

    Larger pictures are drawn more often, by the root of their area.
    """
    weights = np.sqrt([float(picture.shape[0] * picture.shape[1]) for picture in pictures])
    while True:
        chosen = rng.choice(len(pictures), size=BATCH, p=weights / weights.sum())
        highs = [random_patch(pictures[index], rng) for index in chosen]
        yield as_tensor([shrink(high) for high in highs]), as_tensor(highs)


def random_patch(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return a patch from anywhere in `picture`, at random turned, mirrored and with channels shuffled."""
    side = PATCH * SCALE
    top, left = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
    patch = np.rot90(picture[top : top + side, left : left + side], int(rng.integers(4)))
    if rng.integers(2):
        patch = patch[:, ::-1]
    return np.ascontiguousarray(patch[..., rng.permutation(3)])


def as_tensor(pictures: list[Picture]) -> Any:
    """Return pictures of one size as one N x 3 x H x W float tensor, 0..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div(255)


def rate_at(step: int, steps: int) -> float:
    """Return the learning rate as a share of RATE: a linear rise, then half a cosine to nearly nothing."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS))) + 1e-3


def train(body: Any, *, steps: int, seed: int) -> None:
    """Train `body` in place with Adam on the Charbonnier distance sqrt(d^2 + 1e-6), a smooth L1."""
    stream = batches(training_pictures(), np.random.default_rng(seed))
    optimizer = torch.optim.Adam(body.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps))
    started, total = time.monotonic(), 0.0
    for step, (low, high) in zip(range(1, steps + 1), stream, strict=False):
        loss = torch.sqrt((enlarge(body, low) - high) ** 2 + 1e-6).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(body.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 100 == 0:
            print(
                f"step {step}/{steps}  loss {total / 100:.5f}  {time.monotonic() - started:.0f} s", flush=True
            )
            total = 0.0


def save(body: Any, path: Path) -> None:
    """Write the parameters as plain float16 arrays named "body.0.weight" and so on."""
    arrays = {f"body.{name}": value.numpy().astype(np.float16) for name, value in body.state_dict().items()}
    np.savez(path, **arrays)


def main() -> None:
    """Train and save; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Train the example network (needs torch).")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weights.npz"))
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    body = build_body()
    train(body, steps=options.steps, seed=options.seed)
    save(body, options.out)


if __name__ == "__main__":
    main()
