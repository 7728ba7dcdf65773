"""Every address x method x person: the table of permissions.py is the site's promise, tried out address by address."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.api.permissions import TABLE, Answer
from tests.api.world import MULTIPART, PLACES, World, addresses, make_world

NOWHERE = {"api-not-here": "/api/v1/nothing/", "api-elsewhere": "/api/v2/models/"}
FAR_AWAY = "203.0.113.9"  # documentation addresses: never this machine


def client_of(world: World, place: str) -> Client:
    """A browser in this person's hands, far away from the server."""
    client = Client(REMOTE_ADDR=FAR_AWAY)
    if user := world.people[place]:
        client.force_login(user)
    return client


def ask(client: Client, world: World, name: str, method: str) -> Any:
    """Ask at the address of this name in the world's project, with a good body."""
    url = NOWHERE.get(name) or reverse(name, kwargs=world.kwargs_of(name))
    body: Any = world.body_of(name)
    if method == "GET":
        return client.get(url)
    if method == "POST" and (name in MULTIPART or not name.startswith("api-")):
        return client.post(url, body)
    text = json.dumps(body, default=str)
    return client.generic(method, url, text, content_type="application/json")


def answer_of(response: Any) -> Answer:
    """In the words of the table."""
    if response.streaming:
        b"".join(response)  # a file is closed once it was read
    if response.status_code == 302 and response["Location"].startswith("/sign-in/"):
        return "sign-in"
    refused = response.status_code in {401, 403, 404, 405} or response.status_code >= 500
    return response.status_code if refused else "yes"


def answers(place: str, method: str) -> dict[str, Answer]:
    """What this person gets at every address; nothing that one answer changed is left for the next."""
    world, got = make_world(), {}
    client = client_of(world, place)
    for name in addresses():
        cookies = client.cookies.copy()
        before = transaction.savepoint()
        got[name] = answer_of(ask(client, world, name, method))
        transaction.savepoint_rollback(before)
        client.cookies = cookies
    return got


def test_every_address_has_a_line_in_the_table():
    assert set(addresses()) == set(TABLE)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("place", PLACES)
def test_everybody_gets_what_the_table_says(place: str, method: str):
    at = PLACES.index(place)
    assert answers(place, method) == {name: line[method][at] for name, line in TABLE.items()}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("place", ["anonymous", "stranger", "admin"])
def test_no_address_of_the_api_knows_other_methods(place: str, method: str):
    world = make_world()
    client = client_of(world, place)
    api = [name for name in TABLE if name.startswith("api-")]
    assert {answer_of(ask(client, world, name, method)) for name in api} <= {401, 404, 405}


def everything() -> dict[str, list[Any]]:
    """All rows of all tables but the sessions."""
    models = [model for model in apps.get_models() if model is not Session]
    return {model._meta.label: sorted(map(repr, model.objects.values_list())) for model in models}


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["anonymous", "stranger", "viewer"])
def test_whoever_may_not_change_anything_changes_nothing_anywhere(place: str):
    world = make_world()
    before = everything()
    client = client_of(world, place)
    before["auth.User"] = everything()["auth.User"]  # signing in is noted
    for name in addresses():
        if name != "sign-out":
            answer_of(ask(client, world, name, "POST"))
    assert everything() == before


@pytest.mark.django_db
def test_files_are_not_found_by_guessing_ids_of_another_project():
    ours, theirs = make_world(), make_world()
    client = client_of(ours, "admin")
    files = [name for name in TABLE if name.endswith(("-file", "-outputs", "outputs-file"))]
    assert {answer_of(ask(client, theirs, name, "GET")) for name in files} == {404}
