"""`python -m tests.bench.toolkits [--rounds N] [--small]`, or `make bench-toolkits`. RKNN-Toolkit2 must be installed.

The product's own conversion (toolkit.convert in a job folder, under the guard) and the comparisons that follow it,
beside the vendor's share of it. Limits, for each network, of the medians over the rounds:

* time: what is ours, in processor time, is at most 10 % of the vendor's calls of the same run. Ours is all that is not
  inside one of them: guard, the interpreter's start, reading source and snapshot, writing dumps, checking, comparing.
  The float network that we run ourselves for the first rung is told apart: the vendor does nothing like it for us.
* memory: the job's peak over that of a process that makes the vendor's calls only, and what comparing adds to a worker.
* scores: the vendor's npy pairs by `core_scores`, files read, at least ten times as fast as accuracy_analysis is; and
  as a share of it, what it spends in the two functions that make its two scores for as many pairs.

Then the text dumps (bench_layerdump). Prints a table and, last, one JSON line; exit status 1 when a limit is missed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.bench import bench_layerdump


def options(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.toolkits", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="the small network only")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """The exit status."""
    given = options(words)
    os.environ.update(DJANGO_SETTINGS_MODULE="dashboard.settings", LAYERWISE_LOG_LEVEL="WARNING")
    import django

    django.setup()
    from tests.bench.toolkits.conversion import Bench
    from tests.bench.toolkits.networks import NETWORKS
    from tests.bench.toolkits.report import print_network
    from workers.toolkits import rknn2

    toolkit = next(iter(rknn2.here()), None)
    if toolkit is None:
        print("RKNN-Toolkit2 is not installed: make toolkit-rknn2")
        return 1
    names = list(NETWORKS)[-1:] if given.small else list(NETWORKS)
    found, missed = {}, []
    with tempfile.TemporaryDirectory(prefix="layerwise-bench-") as folder:
        bench = Bench(Path(folder), toolkit)
        for name in names:
            found[name], limits = print_network(name, bench.rounds(NETWORKS[name], given.rounds))
            missed += [f"{limit} ({name})" for limit in limits]
    missed += ["text dumps"] if bench_layerdump.main([]) else []
    print(f"limits missed: {', '.join(missed)}" if missed else "all limits held")
    print(json.dumps(found))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
