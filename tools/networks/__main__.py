"""python -m tools.networks [WORD...] [--toolkit NAME] [--file PATH] [--failed] [--only-table]

Tries the listed networks (those whose name holds a WORD; none: all), or a file of yours, and writes docs/networks.md.
What was tried before and is not tried now keeps its row.
"""
# ruff: noqa: T201

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tools.networks.fetching import FOLDER, NotThere, fetched
from tools.networks.listed import NETWORKS, Network


def main(arguments: list[str]) -> int:
    """Try them one after the other; the exit status."""
    parser = argparse.ArgumentParser(prog="tools.networks", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of names")
    parser.add_argument("--toolkit", action="append", choices=("reference", "rknn2"))
    parser.add_argument("--file", type=Path, help="a file of yours; no row is written")
    parser.add_argument("--failed", action="store_true", help="only what did not convert the last time")
    parser.add_argument("--only-table", action="store_true", help="write the table anew from what is known")
    given = parser.parse_args(arguments)
    if not given.only_table:
        _try(given)
    if not given.file:
        from tools.networks.table import write_table

        print(f"{write_table()} rows in docs/networks.md")
    return 0


def _try(given: argparse.Namespace) -> None:
    from tools.networks.house import open_house

    open_house()
    from tools.networks.attempts import RECIPES, attempt

    toolkits = tuple(given.toolkit or RECIPES)
    if given.file:
        _print(attempt(Network(given.file.name, "", ""), given.file, toolkits), toolkits)
        return
    for network in NETWORKS:
        if given.words and not any(word.lower() in network.name.lower() for word in given.words):
            continue
        if given.failed and not _still_to_do(network, toolkits):
            continue
        try:
            told = attempt(network, fetched(network), toolkits)
        except NotThere as error:
            print(f"{network.name}: {error}", file=sys.stderr, flush=True)
            continue
        _print(told, toolkits)
        _keep(network, asdict(told))


def _print(told: object, toolkits: tuple[str, ...]) -> None:
    for toolkit in toolkits:
        one = told.outcomes[toolkit]  # type: ignore[attr-defined]
        words = (
            f"{one.layers} layers, lowest cosine {one.cosine}"
            if not one.code
            else f"{one.code}: {one.detail}"
        )
        print(f"{told.network.name} {toolkit} {one.seconds:.0f}s {words}"[:1500], flush=True)  # type: ignore[attr-defined]


def _still_to_do(network: Network, toolkits: tuple[str, ...]) -> bool:
    path = _file(network)
    known = json.loads(path.read_text())["outcomes"] if path.is_file() else {}
    return any(known.get(toolkit, {"code": "not tried"})["code"] for toolkit in toolkits)


def _file(network: Network) -> Path:
    return FOLDER / "outcomes" / f"{network.name.replace('/', '_')}.json"


def _keep(network: Network, told: dict[str, object]) -> None:
    """Beside what is known of other toolkits of the same network."""
    path = _file(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text())["outcomes"] if path.is_file() else {}
    told["outcomes"] = {**before, **told["outcomes"]}  # type: ignore[dict-item]
    path.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
