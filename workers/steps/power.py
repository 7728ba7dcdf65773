"""Restart a board by the gentlest means that works, and wait until it answers again."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.conf import settings

from dashboard.boards.models import Board
from dashboard.health.models import PowerCycle, PowerSwitch, SwitchKind
from dashboard.health.power import back
from dashboard.health.switches import BadSwitch, Configuration, configuration_of
from workers.errors import JobError
from workers.lease import Lease
from workers.lifecycle import Keep
from workers.link import scripts
from workers.link.ssh import Patience, SshLink, SshTarget, connect
from workers.power.command import run_program
from workers.power.plug import call
from workers.steps.run import private_key
from workers.whereabouts import whereabouts

PATIENCE = Patience(connect_s=5.0, channel_s=10.0, user_timeout_s=10.0)
COMMAND_S = 15.0
REBOOT_S = (
    60.0  # so long a reboot by SSH may take before harder means are used; never more than half of the limit
)
BETWEEN_S = 0.5
LOOKS = 2  # one lost connection is not a board out of reach
# A board of software names each of its boots itself: it shares the kernel, and so the boot_id, with its host.
BOOT_ID = 'printf %s "${LAYERWISE_BOARD:-$(cat /proc/sys/kernel/random/boot_id)}"'
# Processes of ours that not even SIGKILL ends: in D, waiting for the driver, now and two seconds later.
STUCK = r"""
stuck() {
  for folder in /proc/[0-9]*; do
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "$folder/status" 2>/dev/null)
    test "$state" = D && tr '\0' '\n' < "$folder/cmdline" 2>/dev/null | grep -qe "$1" && echo "${folder#/proc/}"
  done
}
first=$(stuck "$1"); test -n "$first" || exit 1
sleep 2
for pid in $(stuck "$1"); do case " $(echo $first) " in *" $pid "*) exit 0;; esac; done
exit 1
"""
NAMES_OF_OURS = r"layerwise\|agent-[0-9a-f]\|run-[0-9]"


@dataclass(frozen=True)
class Seen:
    """A board that answers: what it calls its boot, and whether a process of ours hangs in the driver."""

    boot_id: str
    is_stuck: bool


def power(cycle: PowerCycle, lease: Lease) -> Keep:
    """Look, reboot by SSH, switch the power: as far as needed. What follows for the board comes with the job's end."""
    board, told = cycle.board, configured(cycle.board)
    lease.stage("looking")
    seen = look(board, lease.log)
    if seen and cycle.attempt > 1 and cycle.boot_id not in {"", seen.boot_id}:
        return partial(back, cycle, seen.boot_id, "it had been restarted already")
    if seen and cycle.code == "board:timed-out" and not seen.is_stuck:
        lease.log("the board answers, and no process of ours is stuck: nothing was switched\n")
        return partial(back, cycle, seen.boot_id, "it answered, and nothing was stuck: not switched")
    before = seen.boot_id if seen else cycle.boot_id
    PowerCycle.objects.filter(pk=cycle.pk).update(boot_id=before[:100])
    if seen and told.reboot and (boot_id := reboot(board, told, before, lease)):
        return partial(back, cycle, boot_id, "rebooted by SSH")
    if told.kind == SwitchKind.NONE:
        raise JobError("board:not-back", "A reboot by SSH is all that is set up for it, and it did not help.")
    switch(told, lease)
    lease.stage("waiting for the board")
    boot_id = wait_until_back(board, before, settings.POWER_SECONDS, lease)
    if boot_id is None:
        raise JobError("board:not-back", f"It did not answer within {settings.POWER_SECONDS} seconds.")
    return partial(back, cycle, boot_id, "its power was switched off and on")


def configured(board: Board) -> Configuration:
    """What the board's switch is told. Raises "board:switch-failed"."""
    switch = PowerSwitch.objects.filter(board=board).first()
    if switch is None:
        raise JobError("board:switch-failed", "The power switch was removed meanwhile.")
    try:
        return configuration_of(switch)
    except BadSwitch as error:
        raise JobError("board:switch-failed", str(error)) from error


def look(board: Board, log: Callable[[str], None] = lambda text: None) -> Seen | None:
    """The board as it answers now; None when it does not, the second time either."""
    for _ in range(LOOKS):
        try:
            with reached(board) as link:
                boot_id = boot_id_of(link)
                done = link.run(scripts.shell(STUCK, NAMES_OF_OURS), deadline=time.monotonic() + COMMAND_S)
                return Seen(boot_id, done.status == 0)
        except JobError as error:
            log(f"{error.code}: {error.detail}\n")
    return None


def boot_id_of(link: SshLink) -> str:
    done = link.run(scripts.shell(BOOT_ID), deadline=time.monotonic() + COMMAND_S)
    return done.stdout_tail.decode(errors="replace").strip()[:100]


def reached(board: Board) -> SshLink:
    """A link to the board, sooner given up than for a run. Raises what connect raises."""
    target = SshTarget(whereabouts(board.address, board.port), board.port, board.username, board.host_key)
    return connect(target, private_key(board), PATIENCE)


def reboot(board: Board, told: Configuration, before: str, lease: Lease) -> str | None:
    """Ask the board itself to start anew; its new boot, or None when that did not help in time."""
    lease.stage("rebooting by SSH")
    lease.log(f"{told.reboot[0]} by SSH\n")
    with (
        contextlib.suppress(JobError),
        reached(board) as link,
    ):  # the link breaks, which is what was asked for
        done = link.run(list(told.reboot), deadline=time.monotonic() + COMMAND_S)
        if done.status not in {0, None}:
            lease.log(f"status {done.status}: {done.complaint[:500]}\n")
            return None
    return wait_until_back(board, before, min(REBOOT_S, settings.POWER_SECONDS / 2), lease)


def switch(told: Configuration, lease: Lease) -> None:
    """Off, a pause, and on where that is a step of its own. Raises "board:switch-failed"."""
    lease.stage("switching the power")
    act(told, told.off, lease)
    if told.on:
        patiently(told.pause_s, lease)
        act(told, told.on, lease)


def act(told: Configuration, what: tuple[str, ...], lease: Lease) -> None:
    """One command or call. The log says what was done without the arguments and addresses, which may be secret."""
    seconds = settings.POWER_CALL_SECONDS
    if told.kind == SwitchKind.COMMAND:
        run_program(what, settings.POWER_COMMANDS, seconds, lease.check)
        lease.log(f"{what[0]}: done\n")
    else:
        call(told.method, what[0], told.headers, seconds)
        lease.log("the HTTP call was answered\n")


def wait_until_back(board: Board, before: str, seconds: float, lease: Lease) -> str | None:
    """What the board calls its new boot; None when it does not answer with another one in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(JobError), reached(board) as link:
            boot_id = boot_id_of(link)
            if boot_id and boot_id != before:
                return boot_id
        patiently(BETWEEN_S, lease)
    return None


def patiently(seconds: float, lease: Lease, tick_s: float = 0.5) -> None:
    """Wait, unless the job is taken away meanwhile. Raises LeaseLost."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        lease.check()
        time.sleep(min(left, tick_s))
