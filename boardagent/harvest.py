"""Files that a mode left: moved under plain names, hashed, and written into the journal one by one."""

import hashlib
import os
import re
import stat

from boardagent import protocol

BLOCK = 1 << 20
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}$")
LONGEST_LABEL = 400


class Harvest:
    """What one mode left, in the order in which it became complete: `files`, as (name, role, label)."""

    def __init__(self, kind, mode, folder, journal, breathe):
        self.files = []
        self._kind, self._mode, self._folder, self._out = kind, mode, folder, os.path.join(folder, mode)
        self._journal, self._breathe = journal, breathe

    def gather(self, ended):
        """Take the files that are complete by now. What `breathe()`, called a few times a second, raises ends it."""
        for path, role, label in self._kind.harvest(self._mode, self._out, ended):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                continue  # a link may lead anywhere
            suffix = SUFFIX.search(path)
            name = "{}-{:05d}{}".format(self._mode, len(self.files), suffix.group() if suffix else "")
            moved = os.path.join(self._folder, name)
            os.replace(path, moved)
            announce(self._journal, moved, role, label, self._breathe)
            self.files.append((name, role, label))

    def named(self, role):
        """The name of the mode's only file of this role, None when there is none."""
        return next((name for name, its, _ in self.files if its == role), None)


def announce(journal, path, role, label="", breathe=lambda: None):
    """Hash a file of the run's folder and write its entry; it must not change any more."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb", 0) as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
            size += len(block)
            breathe()
    label = protocol.plain(label)[:LONGEST_LABEL]
    journal.add(
        "file", name=os.path.basename(path), bytes=size, sha256=digest.hexdigest(), role=role, label=label
    )
