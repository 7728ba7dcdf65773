"""Members see their project, everybody else sees that there is nothing."""

import pytest
from django.test import Client

from tests.factories import make_evaluation
from tests.pages.conftest import SignIn, World


def _statuses(client: Client, addresses: list[str]) -> dict[str, int]:
    """What each address answers; answers are read to their ends, because those with files hold them open."""
    found = {}
    for address in addresses:
        answer = client.get(address)
        answer.getvalue()
        found[address] = answer.status_code
    return found


def test_a_viewer_sees_every_page_and_file(world: World, as_user: SignIn) -> None:
    answers = _statuses(as_user(world.viewer), world.addresses())
    assert set(answers.values()) == {200}, answers


def test_a_stranger_finds_nothing_by_guessing(world: World, as_user: SignIn) -> None:
    answers = _statuses(as_user(world.stranger), world.addresses() + world.forms())
    assert set(answers.values()) == {404}, answers


def test_anonymous_users_see_nothing_but_the_sign_in_page(world: World, client: Client) -> None:
    pages = [*world.addresses(), *world.forms(), "/", "/jobs/", "/boards/", "/compare/"]
    answers = {page: client.get(page).headers.get("Location", "") for page in pages}
    assert all(place.startswith("/sign-in/") for place in answers.values()), answers


def test_a_viewer_does_not_see_the_forms(world: World, as_user: SignIn) -> None:
    answers = _statuses(as_user(world.viewer), world.forms())
    assert set(answers.values()) == {403}, answers


def test_a_developer_sees_the_forms(world: World, as_user: SignIn) -> None:
    answers = _statuses(as_user(world.developer), world.forms())
    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize("who", ["developer", "viewer"])
def test_members_are_managed_by_admins_only(world: World, as_user: SignIn, who: str) -> None:
    assert as_user(getattr(world, who)).get(f"/projects/{world.project.slug}/members/").status_code == 403


def test_an_admin_manages_members(world: World, as_user: SignIn) -> None:
    answer = as_user(world.admin).get(f"/projects/{world.project.slug}/members/")
    assert "vera" in answer.content.decode()


def test_lists_hold_nothing_of_other_projects(world: World, as_user: SignIn) -> None:
    client = as_user(world.stranger)
    seen = "".join(client.get(page).content.decode() for page in ("/", "/jobs/", "/boards/", "/compare/"))
    assert not any(word in seen for word in ("Vision", "upscaler", "desk"))


def test_two_runs_are_compared_only_by_who_sees_both(world: World, as_user: SignIn) -> None:
    own = world.evaluation.legs.all()[0].run
    foreign = make_evaluation().legs.all()[0].run
    answer = as_user(world.viewer).get(f"/compare/?a={own.pk}&b={foreign.pk}")
    assert answer.status_code == 404


def test_pages_carry_the_strict_policy(world: World, as_user: SignIn) -> None:
    answer = as_user(world.viewer).get(f"/evaluations/{world.evaluation.pk}/")
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]


def test_files_are_sent_as_attachments_that_nobody_shows(world: World, as_user: SignIn) -> None:
    client = as_user(world.viewer)
    answers = [
        client.get(address) for address in world.addresses() if "/file/" in address or "/outputs/" in address
    ]
    for answer in answers:
        answer.getvalue()
    headers = {
        (
            a.headers["Content-Type"],
            a.headers["Content-Disposition"].split(";")[0],
            a.headers["X-Content-Type-Options"],
        )
        for a in answers
    }
    assert headers == {("application/octet-stream", "attachment", "nosniff")}
