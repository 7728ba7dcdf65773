"""The probe of a real board of software: what each step sees, how each fails, and that nothing stays behind."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.boards import keys
from dashboard.boards.models import Board, BoardState, Run
from dashboard.projects.models import AuditEvent
from dashboard.registration.models import Probe, Registration
from dashboard.registration.services import NEW, pin_anew, request_probe
from dashboard.registration.steps import FULL
from tests import factories
from tests.link.artifacts import make_artifact, make_inputs
from tests.link.board import RunningBoard
from tests.registration.conftest import done, failed_at, folder_of, let_in, steps_of
from workers.tasks import run_task

pytestmark = [pytest.mark.integration]
Probed = Callable[[Board], Probe]


def test_a_look_brings_the_host_key(begun: Registration, machine: RunningBoard) -> None:
    assert begun.host_key == machine.ready["host_key"]


def test_a_look_does_not_log_in(begun: Registration, machine: RunningBoard) -> None:
    before = machine.log.count("publickey")
    done(begun.probes.create(project=begun.project, site="local"))
    assert machine.log.count("publickey") == before


def test_every_step_of_a_good_board_is_shown(confirmed: Board) -> None:
    probe = done(confirmed.probes.get())
    assert steps_of(probe) == dict.fromkeys(FULL, "ok") | {"inference": "skipped"}


def test_every_step_says_what_it_saw(confirmed: Board, machine: RunningBoard) -> None:
    seen = {step.name: step.seen for step in done(confirmed.probes.get()).shown_steps}
    expected = {
        "reach": "SSH-2.0-",
        "host-key": "as pinned",
        "log-in": str(machine.ready["user"]),
        "python": "agent-",
    }
    assert {name: words in seen[name] for name, words in expected.items()} == dict.fromkeys(expected, True)


def test_a_new_board_is_in_service_when_its_probe_has_passed(confirmed: Board) -> None:
    before = (confirmed.state, confirmed.reason)
    done(confirmed.probes.get())
    confirmed.refresh_from_db()
    assert (*before, confirmed.state, confirmed.reason) == (BoardState.PAUSED, NEW, BoardState.READY, "")


def test_going_into_service_is_in_the_audit_trail(confirmed: Board) -> None:
    done(confirmed.probes.get())
    assert AuditEvent.objects.filter(action="board.in-service", subject="desk").count() == 1


def test_the_worker_is_known_as_the_board_sees_it(confirmed: Board) -> None:
    assert done(confirmed.probes.get()).seen_from == "127.0.0.1"


def test_a_board_that_somebody_paused_stays_paused(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(reason="new cable")
    done(confirmed.probes.get())
    confirmed.refresh_from_db()
    assert (confirmed.state, confirmed.reason) == (BoardState.PAUSED, "new cable")


def test_a_probe_leaves_nothing_behind(confirmed: Board, machine: RunningBoard) -> None:
    was_there = folder_of(machine).exists()
    done(confirmed.probes.get())
    assert (was_there, folder_of(machine).exists()) == (False, False)


def test_a_work_folder_that_was_there_stays(confirmed: Board, machine: RunningBoard) -> None:
    (folder_of(machine) / "kept").mkdir(parents=True)
    done(confirmed.probes.get())
    left = [path.name for path in folder_of(machine).iterdir()]
    (folder_of(machine) / "kept").rmdir()
    folder_of(machine).rmdir()
    assert left == ["kept"]


def test_what_a_broken_probe_left_goes_with_the_next(confirmed: Board, machine: RunningBoard) -> None:
    (folder_of(machine) / "probe-1" / "agent").mkdir(parents=True)
    done(confirmed.probes.get())
    left = [path.name for path in folder_of(machine).iterdir()]
    folder_of(machine).rmdir()
    assert left == []


# how each step fails


def test_a_closed_port_is_told_at_the_first_step(confirmed: Board, probed: Probed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    Board.objects.filter(pk=confirmed.pk).update(port=port)
    assert failed_at(done(confirmed.probes.get())) == ("reach", "board:unreachable")


def test_what_follows_a_failed_step_is_skipped(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(port=1)
    states = steps_of(done(confirmed.probes.get()))
    assert set(list(states.values())[1:]) == {"skipped"}


def test_a_failed_probe_ends_at_once_with_the_code_of_the_step(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(port=1)
    probe = done(confirmed.probes.get())
    assert (probe.state, probe.failure, probe.attempt) == ("failed", "board:unreachable", 1)


def test_the_job_that_everybody_sees_does_not_say_where_the_board_is(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(port=1)
    probe = done(confirmed.probes.get())
    assert "127.0.0.1" not in probe.detail + probe.log


def test_a_board_that_fails_its_first_probe_stays_out_of_service(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(port=1)
    done(confirmed.probes.get())
    confirmed.refresh_from_db()
    assert (confirmed.state, confirmed.reason, confirmed.held_by) == (BoardState.PAUSED, NEW, "")


def test_a_key_that_was_not_let_in_is_refused_with_advice(confirmed: Board, machine: RunningBoard) -> None:
    let_in(machine, keys.public_key(keys.new_private_key()))
    probe = done(confirmed.probes.get())
    assert failed_at(probe) == ("log-in", "board:login-refused")


def test_an_npu_of_another_kind_is_told(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(npu="rknn1")
    probe = done(confirmed.probes.get())
    assert failed_at(probe) == ("npu", "board:npu-unavailable")


def test_a_work_folder_that_cannot_be_written_is_told(confirmed: Board) -> None:
    Board.objects.filter(pk=confirmed.pk).update(work_folder="/proc/nowhere")
    assert failed_at(done(confirmed.probes.get())) == ("userland", "board:disk-full")


def test_a_changed_host_key_is_told_and_both_keys_are_kept(confirmed: Board, machine: RunningBoard) -> None:
    pinned = keys.public_key(keys.new_private_key())
    Board.objects.filter(pk=confirmed.pk).update(host_key=pinned)
    probe = done(confirmed.probes.get())
    assert (failed_at(probe), probe.host_key) == (
        ("host-key", "board:host-key-changed"),
        machine.ready["host_key"],
    )


def test_a_new_host_key_is_pinned_with_a_reason_and_the_board_must_pass_again(
    confirmed: Board, machine: RunningBoard, probed: Probed
) -> None:
    Board.objects.filter(pk=confirmed.pk).update(
        host_key=keys.public_key(keys.new_private_key()),
        state=BoardState.UNHEALTHY,
        reason="board:host-key-changed: x",
    )
    done(confirmed.probes.get())
    confirmed.refresh_from_db()
    pin_anew(confirmed, str(machine.ready["fingerprint"]), "new image", None)
    waiting = confirmed.reason
    probed(confirmed)
    confirmed.refresh_from_db()
    assert (waiting, confirmed.state, confirmed.host_key) == (
        NEW,
        BoardState.READY,
        machine.ready["host_key"],
    )


def test_a_server_that_falls_silent_ends_the_probe_in_time(confirmed: Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes the connection, nobody answers
        Board.objects.filter(pk=confirmed.pk).update(port=silent.getsockname()[1])
        assert failed_at(done(confirmed.probes.get())) == ("reach", "board:unreachable")


# the first inference


def test_the_first_inference_is_an_ordinary_run_on_this_board(confirmed: Board, tmp_path: Path) -> None:
    _give_artifact(confirmed, tmp_path)
    probe = done(confirmed.probes.get())
    assert probe.first_run is not None
    run_task(probe.first_run.pk)
    probe = Probe.objects.get(pk=probe.pk)
    assert (steps_of(probe)["inference"], probe.first_run.board) == ("ok", confirmed)


def test_a_board_whose_first_inference_fails_leaves_service(confirmed: Board, tmp_path: Path) -> None:
    _give_artifact(confirmed, tmp_path, damaged=True)
    probe = done(confirmed.probes.get())
    run_task(probe.first_run.pk)  # type: ignore[union-attr]
    confirmed.refresh_from_db()
    assert (confirmed.state, "first inference" in confirmed.reason) == (BoardState.PAUSED, True)


def test_without_an_artifact_the_first_inference_is_skipped_and_said_why(confirmed: Board) -> None:
    probe = done(confirmed.probes.get())
    inference = next(step for step in probe.shown_steps if step.name == "inference")
    assert "evaluate a model" in inference.seen


def _give_artifact(board: Board, folder: Path, damaged: bool = False) -> None:
    from dashboard import files

    project = board.projects.get()
    conversion = factories.make_conversion(factories.make_version(factories.make_model(project)))
    artifact = factories.make_artifact(conversion)
    if not damaged:
        artifact.sha256 = files.put_path(make_artifact(folder / "artifact.onnx")).sha256
        artifact.inputs_sha256 = files.put_path(make_inputs(folder / "inputs.safetensors")).sha256
        artifact.save()


# the board is the probe's alone


def test_no_run_begins_while_a_probe_waits_for_the_board(
    confirmed: Board, tmp_path: Path, probed: Probed
) -> None:
    done(confirmed.probes.get())
    _give_artifact(confirmed, tmp_path)
    request_probe(confirmed, confirmed.projects.get(), None)
    assert Board.objects.free().count() == 0


def test_a_probe_asked_for_twice_is_one_probe(confirmed: Board) -> None:
    assert request_probe(confirmed, confirmed.projects.get(), None) == confirmed.probes.get()


def test_a_probe_does_not_begin_while_a_run_holds_the_board(confirmed: Board, tmp_path: Path) -> None:
    done(confirmed.probes.get())
    _give_artifact(confirmed, tmp_path)
    run = _held(confirmed)
    probe = request_probe(confirmed, confirmed.projects.get(), None)
    during = (probe in Probe.objects.to_ring(), done(probe).state)
    run.succeed(run.fence)
    assert (during, probe in Probe.objects.to_ring()) == ((False, "queued"), True)


def _held(board: Board) -> Run:
    """A run that holds the board."""
    run = factories.make_queued_run(factories.make_artifact(), board)
    assert run.claim("w") and run.hold(board)
    return run


@pytest.mark.parametrize("how", ["cancel", "refuse"])
def test_a_probe_that_never_begins_gives_the_board_back(confirmed: Board, how: str) -> None:
    probe = confirmed.probes.get()
    assert probe.cancel() if how == "cancel" else probe.refuse("system:no-worker")
    confirmed.refresh_from_db()
    assert confirmed.held_by == ""


def test_a_probe_whose_worker_is_lost_keeps_the_board_until_it_ends(confirmed: Board) -> None:
    probe = confirmed.probes.get()
    probe.claim("w")
    probe.put_back(probe.fence)
    confirmed.refresh_from_db()
    held = confirmed.held_by
    probe.claim("w")
    probe.fail(probe.fence, "system:lost")
    confirmed.refresh_from_db()
    assert (held, confirmed.held_by) == (str(probe), "")
