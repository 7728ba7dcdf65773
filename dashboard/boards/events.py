"""What happens to boards, told to whoever listens, in the transaction in which it happens.

Boards know nobody who watches over them; the room `health` does, and connects itself at the start.
"""

from django.dispatch import Signal

failure_counted = Signal()  # board, run, code, detail: a failure that is the board's was counted
state_moved = Signal()  # board, before, by: its state is another one now
host_key_pinned = Signal()  # board, before, by: it is known by another host key from now on
