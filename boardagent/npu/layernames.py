"""Keys of layers from the names the runtime prints: an id at the end shifts from build to build and is no name."""

import re
from collections import Counter

TRAILING_ID = re.compile(r"(?<=[^_])_\d+$")
LONGEST = 300


def keys_of(names, with_ids=True):
    """A key for each row, none twice: the name without its trailing id.

    Of several operations of one layer the last one makes the layer's result and has the plain key; those before it
    get "#1", "#2"... Where names become the same without their ids the ids stay. `with_ids` false: there are none.
    """
    short = {name: (TRAILING_ID.sub("", name) if with_ids else name)[:LONGEST] or "layer" for name in names}
    shared = Counter(short.values())
    plain = [short[name] if shared[short[name]] == 1 else name[:LONGEST] for name in names]
    left, taken, keys = Counter(plain), set(plain), []
    number = Counter()
    for key in plain:
        left[key] -= 1
        keys.append(key if not left[key] else _numbered(key, number, taken))
    return keys


def _numbered(key, number, taken):
    while True:
        number[key] += 1
        found = "{}#{}".format(key, number[key])
        if found not in taken:
            taken.add(found)
            return found
