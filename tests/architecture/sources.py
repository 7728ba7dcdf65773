"""The project's own source files, and what each one imports."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("dashboard", "similarity", "workers", "boardagent", "simboard", "examples", "tools")


def python_files(*rooms: str) -> list[Path]:
    """Every Python file of the rooms (of all without a name), as a path from the project's root."""
    return [file.relative_to(ROOT) for room in rooms or ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


def tree(file: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse((ROOT / file).read_text(), str(file))


def imported(file: Path) -> set[str]:
    """The modules a file names in its imports, wherever they stand; relative ones as a name from the root."""
    found = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(file.parts[: len(file.parts) - node.level]) if node.level else ""
            found.add(".".join(part for part in (package, node.module or "") if part))
    return found


def imported_packages(file: Path) -> set[str]:
    """The first part of each imported name."""
    return {name.split(".")[0] for name in imported(file)}
