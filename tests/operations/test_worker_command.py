"""`manage.py worker`: what it refuses before it becomes a worker (that it works is seen in tests/sites)."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


def test_it_must_be_told_what_to_do() -> None:
    with pytest.raises(CommandError, match="--site NAME"):
        call_command("worker")


@pytest.mark.parametrize("name", ["", "lab,inspect", "lab b", "-Q", "x" * 41, "a.b"])
def test_a_site_has_a_plain_name(name: str) -> None:
    with pytest.raises(CommandError, match="no name of a site"):
        call_command("worker", site=[name])


def test_it_needs_a_process() -> None:
    with pytest.raises(CommandError, match="--processes"):
        call_command("worker", site=["lab-b"], processes=0)
