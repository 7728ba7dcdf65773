"""The little shell that is needed on a board. Paths are arguments, never part of a script's text.

Written for the smallest userland: busybox's ash with cat, wc, sha256sum, mv, rm, mkdir and uname.
"""

NEEDED_PROGRAMS = "for p in cat wc sha256sum mv; do command -v $p >/dev/null || exit 9; done"
# Both ways of storing count the bytes: when the link breaks, the input just ends.
RECEIVE = """\
import hashlib, os, sys
path, expected = sys.argv[1], int(sys.argv[2])
digest, buffer, total = hashlib.sha256(), memoryview(bytearray(1 << 18)), 0
with open(path + ".part", "wb", 0) as out:
    for size in iter(lambda: sys.stdin.buffer.raw.readinto(buffer), 0):
        digest.update(buffer[:size])
        total += size
        done = 0
        while done < size:
            done += out.write(buffer[done:size])
if total != expected:
    sys.exit("only {} of {} bytes came".format(total, expected))
os.replace(path + ".part", path)
print(digest.hexdigest())
"""
# Small files: programs that start at once. What was stored is read again, from the cache.
PUT = """\
umask 077
cat > "$1.part" || { rm -f "$1.part"; exit 1; }
test "$(wc -c < "$1.part")" -eq "$2" && sha256sum < "$1.part" && mv -f "$1.part" "$1"
"""
# Large files: Python's SHA-256 uses the processor's instructions where sha256sum often does not.
PUT_LARGE = (
    "if python3 -ISc 'import hashlib' 2>/dev/null; then "
    f'umask 077; exec python3 -ISc "$3" "$1" "$2"; fi\n{PUT}'
)
LARGE_BYTES = 16 * 1024 * 1024
GET = 'cat "$1"'
HASH = 'sha256sum < "$1"'
REMOVE = 'rm -rf -- "$@"'
ABSENT = 3
UNUSABLE_PYTHON = 69
# A Python that lacks what the agent needs ends with an error here; some boards have one without json.
USABLE_PYTHON = "import sys; assert sys.version_info >= (3, 6); import {}"
# The folder, then either the agent is there or its Python is tried.
PREPARE = (
    'umask 077; mkdir -p "$1" || exit 1; test -s "$1/$2" && exit 0; '
    f'python3 -Ic "$3" || exit {UNUSABLE_PYTHON}; exit {ABSENT}'
)
MACHINE = 'umask 077; mkdir -p "$1" && uname -m'
PRESENT = f'test -x "$1" || exit {ABSENT}'
MAKE_EXECUTABLE = 'chmod 755 "$1"'
NEW_FOLDER = 'umask 077; rm -rf -- "$1" && mkdir "$1"'


def shell(script: str, *arguments: str) -> list[str]:
    """The argument list that runs `script` with $1, $2, ... on any POSIX shell."""
    return ["sh", "-c", script, "sh", *arguments]


def putting(remote: str, size: int) -> list[str]:
    """The argument list that stores `size` bytes of input as `remote` and prints the SHA-256 of what came."""
    if size < LARGE_BYTES:
        return shell(PUT, remote, str(size))
    return shell(PUT_LARGE, remote, str(size), RECEIVE)


WHO = 'id -u; id -un; echo "${SSH_CONNECTION%% *}"'
USERLAND = 'uname -srm; for p in "$@"; do command -v "$p" >/dev/null || echo "missing $p"; done'
PYTHON = 'command -v python3 >/dev/null || exit 69; code=$1; shift; exec python3 -Ic "$code" "$@"'
MODULES = """\
import sys
print(sys.version.split()[0])
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        print("missing " + name)
"""
# A probe's own folder in the work folder. What an earlier one left goes; a work folder that is made for it is told.
PROBE_FOLDER = (
    'umask 077; test -d "$1" || { mkdir -p "$1" && echo made; } || exit 1; '
    'rm -rf -- "$1"/probe-*; mkdir "$1/$2"'
)
LEAVE_NOTHING = 'rm -rf -- "$1/$2"; test -z "$3" || rmdir -- "$1"'
CLOCK = "date +%s"
