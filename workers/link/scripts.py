"""The little shell that is needed on a board. Paths are arguments, never part of a script's text."""

NEEDED_PROGRAMS = "for p in cat tee wc sha256sum mv; do command -v $p >/dev/null || exit 9; done"
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
# Small files: programs that start at once. A failing tee spoils the hash and takes its file away.
PUT = """\
umask 077
{ tee "$1.part" || { rm -f "$1.part"; echo failed; }; } | sha256sum &&
test "$(wc -c < "$1.part")" -eq "$2" && mv -f "$1.part" "$1"
"""
# Large files: Python's SHA-256 uses the processor's instructions where sha256sum often does not.
PUT_LARGE = 'if command -v python3 >/dev/null; then umask 077; exec python3 -ISc "$3" "$1" "$2"; fi\n' + PUT
LARGE_BYTES = 16 * 1024 * 1024
GET = 'cat "$1"'
HASH = 'sha256sum < "$1"'
REMOVE = 'rm -rf -- "$@"'
ABSENT = 3
PREPARE = (
    "umask 077; command -v python3 >/dev/null || exit 69; "
    f'mkdir -p "$1" || exit 1; test -s "$1/$2" || exit {ABSENT}'
)
NEW_FOLDER = 'umask 077; rm -rf -- "$1" && mkdir "$1"'


def shell(script: str, *arguments: str) -> list[str]:
    """The argument list that runs `script` with $1, $2, ... on any POSIX shell."""
    return ["sh", "-c", script, "sh", *arguments]


def putting(remote: str, size: int) -> list[str]:
    """The argument list that stores `size` bytes of input as `remote` and prints the SHA-256 of what came."""
    if size < LARGE_BYTES:
        return shell(PUT, remote, str(size))
    return shell(PUT_LARGE, remote, str(size), RECEIVE)
