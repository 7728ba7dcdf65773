"""Verbs of registration: begin, look, confirm, probe, admit, pin anew. Page, API and command call these."""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from dashboard.boards import events, keys
from dashboard.boards.addresses import AddressRefused
from dashboard.boards.models import Board, BoardState, Purpose, Run
from dashboard.boards.services import (
    BoardSettings,
    Taken,
    add_board,
    record_of_board,
    request_run,
    set_state,
)
from dashboard.conversions.models import Artifact
from dashboard.conversions.offers import REFERENCE
from dashboard.jobs.models import ENDED, State
from dashboard.projects.models import Project
from dashboard.projects.services import record
from dashboard.registration.drafts import Draft, Unfit
from dashboard.registration.models import Probe, Registration
from dashboard.registration.steps import Step, StepState

logger = logging.getLogger(__name__)
NEW = "new: waits for a probe that passes"  # the reason of a board that was never in service
DISAGREES = (
    "This does not name the key that the worker saw. If you read it on the board itself, somebody may be in "
    "the way between worker and board: do not go on."
)


@transaction.atomic
def begin(project: Project, projects: Sequence[Project], draft: Draft, by: Any) -> Registration:
    """A registration with its key, and the request that a worker of the site looks at the host key. Raises Unfit."""
    draft.check()
    private_key = draft.checked_key()
    if Board.objects.filter(name=draft.name).exists():
        raise Unfit({"name": f"There is a board {draft.name!r} already."})
    registration = Registration.objects.create(
        project=project,
        name=draft.name,
        address=draft.address,
        port=draft.port,
        username=draft.username,
        site=draft.site,
        platform=draft.platform,
        npu=draft.npu,
        simulated=draft.is_simulated,
        labels=list(draft.labels),
        work_folder=draft.work_folder.rstrip("/"),
        private_key=keys.encrypt(private_key),
        public_key=keys.public_key(private_key),
        created_by=by,
    )
    registration.projects.set({project, *projects})
    record("registration.begun", project=project, user=by, subject=draft.name)
    look(registration, by)
    return registration


def look(registration: Registration, by: Any) -> Probe:
    """Ask a worker of the site for the host key; a look that is under way is shared."""
    under_way = registration.probes.exclude(state__in=ENDED).first()
    return under_way or Probe.objects.create(
        project=registration.project, registration=registration, site=registration.site, created_by=by
    )


@transaction.atomic
def confirm(registration: Registration, said: str, by: Any) -> Board:
    """Make the board, its host key pinned, when `said` (read on the board itself) names the key that was seen.

    It is not in service before a probe passes; that probe is requested. Raises Unfit.
    """
    registration = Registration.objects.select_for_update().get(pk=registration.pk)
    if registration.board:
        return registration.board  # somebody was quicker, or clicked twice
    if registration.confirmed_at or not registration.host_key:
        raise Unfit({"fingerprint": "No host key has been seen yet: let a worker look at the board first."})
    if not keys.agrees(registration.host_key, said):
        raise Unfit({"fingerprint": DISAGREES})
    projects = list(registration.projects.all())
    try:
        board = add_board(_settings_of(registration), projects, by, state=BoardState.PAUSED, reason=NEW)
    except (AddressRefused, Taken, keys.BadKey) as error:
        raise Unfit({"fingerprint": str(error)}) from error
    Registration.objects.filter(pk=registration.pk).update(board=board, confirmed_at=Now(), private_key="")
    record("registration.confirmed", project=registration.project, user=by, subject=_pinned(board))
    request_probe(board, registration.project, by)
    return board


@transaction.atomic
def discard(registration: Registration, by: Any) -> None:
    """Forget a registration that was not confirmed, and its key; nothing for one that was."""
    gone, _ = Registration.objects.filter(pk=registration.pk, confirmed_at=None).delete()
    if gone:
        record("registration.discarded", project=registration.project, user=by, subject=registration.name)


@transaction.atomic
def request_probe(board: Board, project: Project, by: Any) -> Probe:
    """A probe of the board, which it holds from now on; one that is under way is shared."""
    Board.objects.select_for_update().get(pk=board.pk)
    under_way: Probe | None = Probe.objects.filter(board=board).exclude(state__in=ENDED).first()
    if under_way:
        return under_way
    probe: Probe = Probe.objects.create(project=project, board=board, site=board.site, created_by=by)
    Board.objects.filter(pk=board.pk).update(held_by=str(probe))
    record("board.probed", project=project, user=by, subject=board.name)
    return probe


@transaction.atomic
def admit(board: Board, why: str, by: Any) -> None:
    """Take a board into service that no probe has passed, because an admin says so."""
    set_state(board, BoardState.READY, by=by)
    record_of_board("board.admitted", board, by, f"{board.name}, no probe passed: {why}")


@transaction.atomic
def pin_anew(board: Board, said: str, why: str, by: Any) -> None:
    """Pin the host key that the last probe saw, when `said` names it. The board must pass a probe again.

    Raises Unfit.
    """
    shown = last_seen_key(board)
    if not shown or shown == board.host_key:
        raise Unfit(
            {"fingerprint": "No other host key than the pinned one has been seen: probe the board first."}
        )
    if not keys.agrees(shown, said):
        raise Unfit({"fingerprint": DISAGREES})
    before = board.host_key
    Board.objects.filter(pk=board.pk).update(
        host_key=shown,
        failures_in_a_row=0,
        fence=0,  # another machine by now; an older fence that it remembers is outrun
    )
    set_state(board, BoardState.PAUSED, NEW, by)
    change = f"{keys.fingerprint(before)} -> {keys.fingerprint(shown)}"
    record_of_board("board.pinned-anew", board, by, f"{change} {board.name}: {why}")
    events.host_key_pinned.send(Board, board=board, before=before, by=by)


def last_seen_key(board: Board) -> str:
    """The host key that the newest probe of the board was shown; empty when none was."""
    probe = Probe.objects.filter(board=board).exclude(host_key="").order_by("-pk").first()
    return probe.host_key if probe else ""


def public_key_of(board: Board) -> str:
    """The public half of the board's key; empty when the site's secret has changed since it was stored."""
    try:
        return keys.public_key(keys.decrypt(board.private_key))
    except keys.BadKey:
        return ""


def keep_look(probe: Probe) -> None:
    """Store the host key that a registration's look found; called in the transaction that ends the probe."""
    if probe.registration:
        Registration.objects.filter(pk=probe.registration.pk, confirmed_at=None).update(
            host_key=probe.host_key
        )


def keep_probe(probe: Probe, runtime_version: str, agent: str) -> None:
    """A probe of a board passed: note what it found, take a new board into service, ask for a first inference.

    Called in the transaction that ends the probe.
    """
    board = probe.board
    assert board is not None
    Board.objects.filter(pk=board.pk).update(
        seen_at=Now(), agent=agent, **({"runtime_version": runtime_version} if runtime_version else {})
    )
    if Board.objects.filter(pk=board.pk, state=BoardState.PAUSED, reason=NEW).update(
        state=BoardState.READY, reason="", failures_in_a_row=0
    ):
        record("board.in-service", project=probe.project, user=probe.created_by, subject=board.name)
    board.refresh_from_db()
    _request_first_run(probe, board)


def artifact_for(board: Board, project: Project) -> Artifact | None:
    """An artifact of the project that this board can run: one that ran somewhere before, else the newest."""
    for_simulation = Q(conversion__recipe__settings__toolkit=REFERENCE)
    mine = Artifact.objects.filter(conversion__project=project, platform=board.platform)
    mine = mine.filter(for_simulation if board.is_simulation else ~for_simulation)
    return mine.filter(runs__state=State.SUCCEEDED).order_by("-pk").first() or mine.order_by("-pk").first()


def first_run_ended(run: Run) -> None:
    """A new board whose very first inference failed by its own fault leaves service again."""
    probe = Probe.objects.filter(first_run=run).select_related("board").first()
    if probe is None or run.state != State.FAILED or not run.failure.startswith("board:"):
        return
    board = probe.board
    if board and not Run.objects.filter(board=board, state=State.SUCCEEDED).exists():
        Board.objects.filter(pk=board.pk, state=BoardState.READY).update(
            state=BoardState.PAUSED, reason=f"its first inference failed: {run.failure}"
        )


def tidy() -> int:
    """Delete abandoned registrations, give back boards whose probe is gone; how many rows."""
    count = 0
    for registration in Registration.objects.abandoned().select_related("project")[:100]:
        record("registration.expired", project=registration.project, subject=registration.name)
        registration.delete()
        count += 1
    for board in Board.objects.filter(held_by__startswith="probe "):
        if not Probe.objects.filter(board=board).exclude(state__in=ENDED).exists():
            count += Board.objects.filter(pk=board.pk, held_by=board.held_by).update(
                held_by="", free_at=Now()
            )
    return count


def _request_first_run(probe: Probe, board: Board) -> None:
    """An ordinary run on this very board, or a word why there is none."""
    artifact = artifact_for(board, probe.project)
    steps = [step for step in probe.found if step.name != "inference"]
    if board.state != BoardState.READY:
        steps.append(
            Step("inference", StepState.SKIPPED, f"The board is {board.state}: no run can begin there.")
        )
    elif artifact is None:
        why = f"{probe.project} has no artifact for {board.platform} yet: evaluate a model, then probe again."
        steps.append(Step("inference", StepState.SKIPPED, why))
    else:
        probe.first_run = request_run(
            artifact, board=board, iterations=3, user=probe.created_by, purpose=Purpose.HEALTH
        )
    Probe.objects.filter(pk=probe.pk).update(
        first_run=probe.first_run, steps=[step.as_dict() for step in steps]
    )


def _settings_of(registration: Registration) -> BoardSettings:
    return BoardSettings(
        name=registration.name,
        address=registration.address,
        port=registration.port,
        username=registration.username,
        host_key=registration.host_key,
        private_key=keys.decrypt(registration.private_key),
        platform=registration.platform,
        npu=registration.npu,
        site=registration.site,
        simulated=registration.simulated,
        work_folder=registration.work_folder,
        labels=tuple(registration.labels),
    )


def _pinned(board: Board) -> str:
    return f"{board.name} {keys.fingerprint(board.host_key)}"
