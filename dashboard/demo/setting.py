"""What the demonstration needs before it can ask: a user, a project, a token, and the simulated boards."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.projects.models import Project, Scope
from dashboard.projects.services import create_project, make_token, token_for

USER, PROJECT = "demo", "Demo"


@dataclass(frozen=True)
class Login:
    """The demonstration's login and token; kept in a file that only its owner reads."""

    user: str
    password: str
    token: str


def prepare(data: Path, boards: list[dict[str, Any]]) -> Login:
    """Make, or find again, the user, the project, the token and the boards of the running stack."""
    file = data / "demo-login.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    password = kept.get("password") or secrets.token_urlsafe(9)
    user = _user(password)
    project = Project.objects.filter(name=PROJECT).first() or create_project(PROJECT, user)
    token = kept.get("token", "")
    if token_for(token) is None:
        token = make_token(project, user, "demonstration", [Scope.READ, Scope.WRITE])[1]
    login = Login(USER, password, token)
    _write_private(file, {"user": login.user, "password": login.password, "token": login.token})
    for board in boards:
        _register(board, project, user)
    return login


def _user(password: str) -> Any:
    """The user, with this password; a changed database or file is mended rather than refused."""
    user, _ = get_user_model().objects.get_or_create(username=USER)
    if not user.check_password(password):
        user.set_password(password)
        user.save()
    return user


def _register(facts: dict[str, Any], project: Project, user: Any) -> None:
    """Tell the site about a simulated board, and the board about the site's key."""
    name = str(facts["name"])
    known = Board.objects.filter(name=name).first()
    private_key = keys.decrypt(known.private_key) if known else keys.new_private_key()
    authorized = Path(facts["folder"]) / "authorized_keys"
    authorized.write_text(keys.public_key(private_key) + "\n")
    authorized.chmod(0o600)
    register_board(
        BoardSettings(
            name=name,
            address=str(facts["host"]),
            port=int(facts["port"]),
            username=str(facts["user"]),
            host_key=str(facts["host_key"]),
            private_key=private_key,
            npu="sim",
            work_folder=str(facts["workdir"]),
            simulated=True,
            quirks=tuple(facts.get("quirks", ())),
        ),
        [project],
        user,
    )


def _write_private(file: Path, content: dict[str, str]) -> None:
    draft = file.with_suffix(".part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(content, stream)
    draft.replace(file)
