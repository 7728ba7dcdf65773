"""docs/settings.md and .env.example name exactly the variables that the settings read."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READERS = {"read", "integer", "boolean", "words", "networks", "matching", "path", "paths", "database"}
# of the Docker files alone: compose reads them, the site does not
DOCKER = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "LAYERWISE_LISTEN", "LAYERWISE_SITE"}


def variables_read() -> set[str]:
    """The first argument of every env.<reader>(...) call of settings.py."""
    tree = ast.parse((ROOT / "dashboard" / "settings.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr in READERS) == ("env", True)
        and isinstance(call.args[0], ast.Constant)
    }


def test_the_settings_read_many_variables():
    assert len(variables_read()) > 25


def test_the_documentation_names_every_variable_and_no_other():
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(variables_read())


def test_the_example_environment_names_every_variable_and_no_other():
    lines = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(lines) - DOCKER == variables_read()
