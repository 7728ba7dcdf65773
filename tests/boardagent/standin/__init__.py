"""Stand-ins for the vendor's runtime libraries, in C, and the program that builds them."""

import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
FLAGS = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]


def build(name: str, into: Path, compiler: str = "gcc") -> Path:
    """Compile the stand-in `name` ("librknn_api" or "librknnrt"); the path of its .so in `into`."""
    library = into / f"{name}.so"
    subprocess.run([compiler, *FLAGS, "-o", str(library), str(SOURCES / f"{name}.c"), "-lm"], check=True)
    return library
