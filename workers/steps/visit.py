"""The way to one board, kept open from one run to the next as long as all goes well."""

from types import TracebackType
from typing import Self

from django.conf import settings

from dashboard.boards.models import Board
from workers.link.session import BoardSession
from workers.link.ssh import SshLink, SshTarget, connect

Way = tuple[SshTarget, str, str, str]  # where, the private key, the work folder, the wanted agent
WORK_FOLDER = ".layerwise"  # in the login's home, unless the board names another


class Visit:
    """At most one open connection; used in a with statement, closed at the end and after every failure."""

    def __init__(self) -> None:
        self._link: SshLink | None = None
        self._session: BoardSession | None = None
        self._way: Way | None = None
        self.seen: int | None = None  # the newest fence known on the board; None until it was asked

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def session(self, board: Board, target: SshTarget, private_key: str) -> BoardSession:
        """The session with the board; a new connection unless the one that is open leads there."""
        way = (target, private_key, board.work_folder or WORK_FOLDER, board.agent)
        if self._session is None or way != self._way:
            self.close()
            self._link = connect(target, private_key)
            self._session, self._way = self._begin(self._link, way), way
        return self._session

    def _begin(self, link: SshLink, way: Way) -> BoardSession:
        """A session with the agent that this board takes; it finds its way back when the link breaks."""
        target, private_key, folder, agent = way
        return BoardSession(
            link,
            folder,
            reconnect=lambda: connect(target, private_key),
            agent=agent,
            c_agents=settings.C_AGENTS,
        )

    def close(self) -> None:
        """Give the connection back; the next session begins anew."""
        link, session = self._link, self._session
        self._link, self._session, self.seen = None, None, None
        if session:
            session.close()
        if link:
            link.close()
