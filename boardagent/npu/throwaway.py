"""How the agent starts itself again as a throw-away child, from a zipapp as well as from a source tree."""

import os
import sys

import boardagent

VERB = "npu-child"
FROM_TREE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from boardagent.__main__ import main; sys.exit(main(sys.argv[2:]))"
)


def command(kind, mode, folder, out):
    """The child's argument list."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(boardagent.__file__)))
    python = sys.executable or "python3"
    start = [python, "-I", home] if os.path.isfile(home) else [python, "-I", "-c", FROM_TREE, home]
    return [*start, VERB, kind, mode, os.path.abspath(folder), os.path.abspath(out)]
