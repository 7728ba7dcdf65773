"""The text twins of a snapshot's tensors, deleted while accuracy_analysis goes on: nobody reads them.

They are what fills the disk first: about ten bytes a number, where the .npy beside them has four. The vendor's tool
does not come back to them (tried with 2.2.0 to 2.5.0); one that is still being written keeps its name no longer, and
its room until it is closed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from workers.toolkits.rknn2job.meanwhile import meanwhile


@contextlib.contextmanager
def texts_deleted(folders: list[Path]) -> Iterator[None]:
    """Until the block ends, and once more then, delete every text file right in one of the folders."""
    try:
        with meanwhile(lambda: delete_texts(folders)):
            yield
    finally:
        delete_texts(folders)


def delete_texts(folders: list[Path]) -> None:
    """Delete every text file right in one of the folders, those that are not there yet aside."""
    for folder in folders:
        for text in folder.glob("*.txt"):
            text.unlink(missing_ok=True)
