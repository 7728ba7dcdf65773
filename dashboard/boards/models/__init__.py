"""Boards, the runs that they execute, the lanes in which runs wait, and what they brought back."""

from dashboard.boards.models.board import AgentKind, Board, BoardState
from dashboard.boards.models.lane import Lane, Usage
from dashboard.boards.models.result import RunResult
from dashboard.boards.models.run import HEALTH_RANK, Purpose, Run

__all__ = ["HEALTH_RANK", "AgentKind", "Board", "BoardState", "Lane", "Purpose", "Run", "RunResult", "Usage"]
