"""Where a worker connects to: the number behind a board's address, looked up once for each visit."""

from dashboard.boards import addresses
from workers.errors import JobError, Temporary
from workers.lookup import look_up


def whereabouts(address: str, port: int) -> str:
    """The number behind `address`, in a network that may hold boards: a name may lead anywhere by now.

    Raises "board:unreachable"; which number a name led to is nobody's business but an admin's, so it is not told.
    """
    try:
        return addresses.whereabouts(address, port, look_up)
    except (OSError, UnicodeError) as error:
        raise Temporary("board:unreachable", f"{address} cannot be looked up: {error}") from error
    except addresses.AddressRefused as error:
        raise JobError("board:unreachable", str(error)) from error
