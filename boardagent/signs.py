"""Signs of life: a child writes a byte every half second into a pipe, from a thread of its own; the run listens.

A hanging call of the vendor's library is the child's own business (npu/watch.py) as long as its threads go on. Here it
is about a child that can do nothing any more: stopped, stuck in the driver with all its threads, or never begun.
"""

import os
import threading
import time

VARIABLE = "LAYERWISE_SIGNS"  # the descriptor that signs are written to
EVERY_S = 0.5
SILENCE_S = 5.0
MOST_OF_A_LOOK_S = 1.0
SWITCHES = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")


class Silent(Exception):
    """Nothing has come from the child for too long, and nothing in it has moved."""


def give():
    """In the child: give signs until the process ends. Does nothing where nobody listens."""
    given = os.environ.pop(VARIABLE, "")
    if given:
        os.set_inheritable(int(given), False)
        os.set_blocking(int(given), False)
        threading.Thread(target=_go_on, args=(int(given),), daemon=True).start()


def _go_on(descriptor):
    while True:
        try:
            os.write(descriptor, b".")
        except BlockingIOError:
            pass  # nobody has read for hours: there are signs enough in the pipe
        time.sleep(EVERY_S)


class Listener:
    """Counts the silence of one child; `given` is the descriptor that the child inherits, until close_given()."""

    def __init__(self, patience_s=SILENCE_S):
        self._patience, self._silence, self._looked = patience_s, 0.0, time.monotonic()
        self._moves = None
        self._taken, self.given = os.pipe()
        os.set_blocking(self._taken, False)

    def close_given(self):
        """Once the child has it."""
        os.close(self.given)

    def close(self):
        """At the child's end."""
        os.close(self._taken)

    def listen(self, pid):
        """Look for signs; to be called often. Raises Silent.

        One look counts for a second at most: a board that was suspended, or so busy that the run itself had to wait,
        has heard nothing because nobody listened. And a child is not silent that has no turn, or that moves without a
        word: the interpreter starts slowly on some boards.
        """
        passed = time.monotonic() - self._looked
        if passed < EVERY_S:
            return
        self._looked += passed
        if self._has_sign() or self._has_moved(pid):
            self._silence = 0.0
        else:
            self._silence += min(passed, MOST_OF_A_LOOK_S)
        if self._silence >= self._patience:
            message = "no sign of life for {:.0f} s, {}"
            raise Silent(message.format(self._silence, state_of(pid)))

    def _has_sign(self):
        try:
            return bool(os.read(self._taken, 65536))
        except BlockingIOError:
            return False

    def _has_moved(self, pid):
        before, self._moves = self._moves, moves_of(pid)
        return self._moves != before or "R" in self._moves.values()


def moves_of(pid):
    """Of each thread how often it had its turn so far, or "R" while it runs or waits for its turn."""
    found = {}
    try:
        for thread in os.listdir("/proc/{}/task".format(pid)):
            with open("/proc/{}/task/{}/status".format(pid, thread)) as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
            is_running = fields.get("State", "").split()[:1] == ["R"]
            turns = sum(int(fields.get(field, 0)) for field in SWITCHES)
            found[thread] = "R" if is_running else turns
    except OSError:
        pass  # it has just ended, or there is no /proc: signs alone count
    return found


def state_of(pid):
    """In words, what the kernel says of the process: "it is stopped"."""
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            state = file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        state = ""
    words = {"T": "it is stopped", "t": "it is stopped", "D": "it is stuck in the kernel"}
    return words.get(state, "its state is {}".format(state or "not known"))
