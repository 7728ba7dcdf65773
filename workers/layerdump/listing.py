"""Which files belong to which layer: the names that the vendor's runtimes give their files, and the map of node ids.

RKNN 1.7: NodeID_<id>_<kernel>_w_<w>_h_<h>_d_<d>_batchID_<b>_out_<k>.txt, and NodeID_To_LayerName.txt with a heading and
lines " <id> TAB <name>", " TAB <name>" for a node without one, or " unknow node!".
RKNPU2: <number>_<op>_<tensor>_shape_<sides>_<type>.npy, which describe themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.layerdump.damage import bad

NODE = re.compile(
    r"NodeID_(\d{1,9})_(.{1,120})_w_(\d{1,9})_h_(\d{1,9})_d_(\d{1,9})_batchID_(\d{1,5})_out_(\d{1,3})\.txt"
)
ARRAY = re.compile(r"(\d{1,6})_([A-Za-z0-9]+)_(.{1,300})_shape_.{0,100}\.npy")
LINE = re.compile(r" ?(\d{1,9})\t(.+)")
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_NAMES_BYTES = 16 * 1024 * 1024
MOST_VALUES = 2**31
LONGEST_NAME = 300


@dataclass(frozen=True)
class Layer:
    """One result of one node: its files in the order of the batch; `sides` (n, d, h, w), None where the file knows."""

    name: str
    op: str
    files: tuple[Path, ...]
    sides: tuple[int, int, int, int] | None


def layers_of(folder: Path, listed: Mapping[str, Any]) -> list[Layer]:
    """The layers in the order in which they were computed. Raises "board:bad-answer"."""
    names = read_names(folder / _plain(listed["names"])) if listed.get("names") else {}
    groups: dict[tuple[str, int, int], list[tuple[int, Path, re.Match[str]]]] = {}
    layers: list[Layer | tuple[str, int, int]] = []
    for row in listed.get("files", []):
        path, label = folder / _plain(row["name"]), str(row["label"])
        if found := ARRAY.fullmatch(label):
            layers.append(Layer(printable(found[3]), found[2], (path,), None))
        elif found := NODE.fullmatch(label):
            node = (found[2], int(found[1]), int(found[7]))
            if node not in groups:
                layers.append(node)
            groups.setdefault(node, []).append((int(found[6]), path, found))
        else:
            raise bad(f"{label[:80]!r} is not the name of a layer's file")
    if not layers:
        raise bad("there is not one layer in it")
    return [one if isinstance(one, Layer) else _node(one, groups[one], names) for one in layers]


def _node(
    node: tuple[str, int, int], pieces: Sequence[tuple[int, Path, re.Match[str]]], names: Mapping[int, str]
) -> Layer:
    kernel, number, port = node
    pieces = sorted(pieces, key=lambda piece: piece[0])
    w, h, d = (int(pieces[0][2][group]) for group in (3, 4, 5))
    if [piece[0] for piece in pieces] != list(range(len(pieces))):
        raise bad(f"node {number} has files of the batch {[piece[0] for piece in pieces][:8]}")
    if any(piece[2].group(3, 4, 5) != pieces[0][2].group(3, 4, 5) for piece in pieces):
        raise bad(f"node {number} has files of different shapes")
    if not 0 < len(pieces) * d * h * w < MOST_VALUES:
        raise bad(f"node {number} has a shape of {len(pieces)} x {d} x {h} x {w}")
    name = printable(names.get(number, f"{kernel}_node{number}"))
    name = f"{name}:out{port}" if port else name
    return Layer(name, printable(kernel)[:60], tuple(piece[1] for piece in pieces), (len(pieces), d, h, w))


def read_names(path: Path) -> dict[int, str]:
    """Node id -> layer name; lines of nodes without an id name no file and are passed over."""
    if path.stat().st_size > MOST_NAMES_BYTES:
        raise bad(f"the map of names has {path.stat().st_size} bytes")
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found = [LINE.fullmatch(line.rstrip("\r")) for line in lines]
    return {int(match[1]): match[2] for match in found if match}


def printable(name: str) -> str:
    """`name` as a dump may hold it."""
    return "".join(mark if mark.isprintable() else "_" for mark in name)[:LONGEST_NAME] or "layer"


def _plain(name: Any) -> str:
    if not isinstance(name, str) or not PLAIN_NAME.fullmatch(name):
        raise bad(f"{str(name)[:60]!r} is not a plain file name")
    return name
