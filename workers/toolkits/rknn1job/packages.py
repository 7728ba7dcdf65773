"""Which formats a toolkit's environment has the packages for. Shared by the probes of both of the vendor's toolkits."""

import subprocess
import sys
from typing import Dict, List, Sequence

LIMIT_S = 60  # TensorFlow takes some seconds, on a busy machine ten times as long


def formats_with_packages(legal: Sequence[str], needs: Dict[str, str]) -> List[str]:
    """Those whose package is here and can be imported, where the toolkit needs one."""
    works = {package: is_importable(package) for package in set(needs.values())}
    return [one for one in legal if works.get(needs.get(one, ""), True)]


def is_importable(package: str) -> bool:
    """Tried in a program of its own, which may crash or hang: what is wrong with a package costs its formats only."""
    argv = [sys.executable, "-s", "-c", "import " + package]
    try:
        return (
            subprocess.call(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT_S) == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
