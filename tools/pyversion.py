"""Ends with a sentence when this Python is too old to make the virtual environment; runs on any Python 3."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is where it is checked
    sys.exit(
        "Layerwise needs Python 3.11 or newer, and {} is {}.{}. "
        "Name a newer one: make demo PYTHON=python3.12".format(sys.executable, *sys.version_info[:2])
    )
