"""What must stand nowhere in the product: ways to run foreign code, or to trust a stranger."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imported_packages, python_files, tree

PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FILES = list(python_files())


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} | {
        part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)
    }


def _keyword(name: str, is_bad: Callable[[object], bool]) -> Callable[[ast.AST], bool]:
    """Whether a call has the keyword with a bad value; a value that is not written out counts as bad."""

    def found(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and any(
            keyword.arg == name
            and (not isinstance(keyword.value, ast.Constant) or is_bad(keyword.value.value))
            for keyword in node.keywords
        )

    return found


def _offenders(is_bad: Callable[[ast.AST], bool]) -> list[str]:
    return [
        f"{file}:{getattr(node, 'lineno', 0)}"
        for file in FILES
        for node in ast.walk(tree(file))
        if is_bad(node)
    ]


@pytest.mark.parametrize("name", ["AutoAddPolicy", "WarningPolicy", "mark_safe"])
def test_a_dangerous_name_is_used_nowhere(name: str) -> None:
    users = [str(file) for file in FILES if name in _names(tree(file))]
    assert users == []


def test_a_page_without_the_csrf_check_makes_it_later() -> None:
    """A page that changes its upload handlers must do so before the check reads the request."""
    names = {str(file): _names(tree(file)) for file in FILES}
    assert [
        file for file, used in names.items() if "csrf_exempt" in used and "csrf_protect" not in used
    ] == []


def test_nothing_is_pickled() -> None:
    users = [str(file) for file in FILES if imported_packages(file) & PICKLES]
    assert users == []


def test_no_array_is_loaded_with_pickles() -> None:
    assert _offenders(_keyword("allow_pickle", bool)) == []


def test_no_process_is_started_through_a_shell() -> None:
    assert _offenders(_keyword("shell", bool)) == []


def test_no_shell_is_reached_by_a_side_door() -> None:
    assert [
        f for f in FILES if re.search(r"\bos\.(system|popen)\(|getoutput\(", (ROOT / f).read_text())
    ] == []


@pytest.mark.parametrize("name", ["eval", "exec", "__import__"])
def test_no_text_is_run_as_code(name: str) -> None:
    def is_call(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name

    assert _offenders(is_call) == []


def test_every_module_says_what_lives_in_it() -> None:
    silent = [
        str(file)
        for file in FILES
        if (ROOT / file).stat().st_size
        and "migrations" not in file.parts
        and not ast.get_docstring(tree(file))
    ]
    assert silent == []


def test_pages_fetch_nothing_from_outside() -> None:
    pages = [*(ROOT / "dashboard").rglob("*.html"), *(ROOT / "dashboard" / "static" / "js").rglob("*.js")]
    outside = re.compile(
        r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//|(?:fetch|import)\(\s*["']https?://|<script>"""
    )
    assert [str(page) for page in pages if outside.search(page.read_text())] == []


def test_a_forbidden_keyword_would_be_found() -> None:
    call = ast.parse("run(command, shell=True)").body[0]
    assert any(_keyword("shell", bool)(node) for node in ast.walk(call))


def test_a_file_of_the_project_is_among_those_checked() -> None:
    assert Path("dashboard/settings.py") in FILES
