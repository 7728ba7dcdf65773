"""C programs for the boards, as a board's SDK builds them: by a cross compiler, against an old C library."""

import subprocess
from pathlib import Path

from tests.armhf import recipes
from tests.armhf.image import image

COMPILER = "arm-linux-gnueabihf-gcc"
LIBRARIES = "usr/lib/arm-linux-gnueabihf"


def compile_for_boards(source: Path, target: Path, *options: str) -> Path:
    """Compile one C file to `target` with the board's headers and libraries instead of this machine's."""
    sdk = image(recipes.SDK)
    own = subprocess.run([COMPILER, "-print-file-name=include"], capture_output=True, text=True, check=True)
    headers = (own.stdout.strip(), f"{sdk}/usr/include/arm-linux-gnueabihf", f"{sdk}/usr/include")
    include = [word for folder in headers for word in ("-isystem", folder)]
    command = [COMPILER, f"--sysroot={sdk}", f"-B{sdk}/{LIBRARIES}/", "-nostdinc", *include, "-O2", "-Wall"]
    done = subprocess.run(
        [*command, "-o", target, source, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target
