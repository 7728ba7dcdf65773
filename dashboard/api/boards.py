"""`/api/v1/boards/`: the boards that the caller's projects may use; admins pause and resume them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.reach import projects_of
from dashboard.api.reading import Reading
from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import pause, resume
from dashboard.projects.models import Project


class BoardSerializer(serializers.ModelSerializer[Board]):
    """A board without anything that helps to reach it; `busy` does not tell with whose run."""

    busy = serializers.SerializerMethodField()
    quirks = serializers.ListField(child=serializers.CharField(), read_only=True)
    fingerprint = serializers.DictField(read_only=True)
    host_key_fingerprint = serializers.SerializerMethodField()

    class Meta:
        model = Board
        fields = [
            "id",
            "name",
            "site",
            "platform",
            "npu",
            "simulated",
            "quirks",
            "state",
            "busy",
            "reason",
            "fingerprint",
            "host_key_fingerprint",
            "seen_at",
            "created_at",
        ]

    def get_busy(self, board: Board) -> bool:
        return board.run_id is not None

    def get_host_key_fingerprint(self, board: Board) -> str:
        return keys.fingerprint(board.host_key)


class PauseSerializer(serializers.Serializer[Any]):
    """Why the board is paused."""

    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class Boards(Reading[Board]):
    """Machines with an NPU."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    project_path = "projects"
    narrowing = {
        "project": ("projects", int),
        "site": ("site", str),
        "platform": ("platform", str),
        "state": ("state", str),
        "name": ("name", str),
    }

    def reached(self, rows: QuerySet[Board]) -> QuerySet[Board]:
        return rows.distinct()

    @extend_schema(request=PauseSerializer, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def pause(self, request: Request, pk: int) -> Response:
        """Take the board out of service; a run that holds it goes on."""
        board = self._administered(request)
        asked = PauseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        pause(board, asked.validated_data["reason"], request.user)
        return Response(BoardSerializer(board).data)

    @extend_schema(request=None, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def resume(self, request: Request, pk: int) -> Response:
        """Take the board back into service, from pause or quarantine."""
        board = self._administered(request)
        resume(board, request.user)
        return Response(BoardSerializer(board).data)

    def _administered(self, request: Request) -> Board:
        """The board, for an admin of one of its projects that are in reach."""
        board = self.get_object()
        mine = projects_of(request) & Project.objects.administered_by(request.user)
        if not board.projects.filter(pk__in=mine.values("pk")).exists():
            raise PermissionDenied("Only an admin of a project that uses this board may do this.")
        return board
