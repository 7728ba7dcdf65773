"""The text twins of a snapshot's tensors, deleted while accuracy_analysis goes on: nobody reads them.

They are what fills the disk: about ten bytes a number, where the .npy beside them has four. The vendor's tool does not
come back to them (tried with 2.5.0); one that is still being written keeps its name no longer, and its room until it
is closed.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

EVERY_S = 0.1


@contextlib.contextmanager
def texts_deleted(folders: list[Path]) -> Iterator[None]:
    """Until the block ends, and once more then, delete every text file right in one of the folders."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            delete_texts(folders)

    watching = Thread(target=watch, name="texts", daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
        delete_texts(folders)


def delete_texts(folders: list[Path]) -> None:
    """Delete every text file right in one of the folders, those that are not there yet aside."""
    for folder in folders:
        for text in folder.glob("*.txt"):
            text.unlink(missing_ok=True)
