"""Lines of the kernel's log: from the ring buffer where an ordinary user may read it, else from syslog's files."""

import os

from boardagent.protocol import plain
from boardagent.sysinfo import at

SOURCES = ("/dev/kmsg", "/var/log/dmesg", "/var/log/kern.log", "/var/log/messages")
RECORD = 8192
MOST_BYTES = 4 * 1024 * 1024


def last_line(*words):
    """The last line that holds one of `words` (any case), without its stamp; None where there is none."""
    wanted = [word.lower() for word in words]
    for source in SOURCES:
        found = [line for line in _lines(at(source)) if any(word in line.lower() for word in wanted)]
        if found:
            return plain(found[-1]).strip()[:300]
    return None


def _lines(path):
    """Lines of a log; /dev/kmsg gives one record a read, "level,number,time,flags;text"."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    carry, left = b"", MOST_BYTES
    try:
        while left > 0:
            block = os.read(descriptor, RECORD)
            if not block:
                break
            left -= len(block)
            lines = (carry + block).split(b"\n")
            carry = lines.pop()
            yield from (_text(line) for line in lines)
    except OSError:  # nothing more to read just now, or records were overwritten meanwhile
        pass
    finally:
        os.close(descriptor)
    if carry:
        yield _text(carry)


def _text(line):
    text = line.decode("utf-8", "replace")
    head, mark, rest = text.partition(";")
    return rest if mark and head[:1].isdigit() and head.count(",") >= 3 else text
