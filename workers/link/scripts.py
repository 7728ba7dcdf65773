"""The little shell that is needed on a board. Paths are arguments, never part of a script's text."""

NEEDED_PROGRAMS = "for p in cat sha256sum mv; do command -v $p >/dev/null || exit 9; done"
PUT = 'cat > "$1.part" && sha256sum < "$1.part" && mv -f "$1.part" "$1"'
GET = 'cat "$1"'
HASH = 'sha256sum < "$1"'
REMOVE = 'rm -rf -- "$@"'


def shell(script: str, *arguments: str) -> list[str]:
    """The argument list that runs `script` with $1, $2, ... on any POSIX shell."""
    return ["sh", "-c", script, "sh", *arguments]


ABSENT = 3
PREPARE = (
    "umask 077; command -v python3 >/dev/null || exit 69; "
    f'mkdir -p "$1" || exit 1; test -s "$1/$2" || exit {ABSENT}'
)
NEW_FOLDER = 'umask 077; rm -rf -- "$1" && mkdir "$1"'
