"""`/api/v1/boards/`: the boards that the caller's projects may use, and who takes them out of service for whom."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.errors import Conflict
from dashboard.api.health_checks import HealthCheckSerializer
from dashboard.api.power import PowerCycleSerializer, PowerSwitchSerializer, SwitchShownSerializer
from dashboard.api.reach import projects_of, within
from dashboard.api.reading import Reading
from dashboard.boards import keys
from dashboard.boards.models import Board, Run
from dashboard.boards.reservations import BadEnd, NotReserved, release, reserve
from dashboard.boards.services import drain, pause, resume
from dashboard.boards.shown import queue_lengths, with_temperature
from dashboard.health.checks import request_check, under_way
from dashboard.health.models import Cause
from dashboard.health.power import CannotSwitch, request_by_hand
from dashboard.health.switches import configure
from dashboard.projects.models import CHANGERS, Membership, Project
from dashboard.telemetry.sites import state_of


class ReservationSerializer(serializers.Serializer[Any]):
    """Who has the board for themselves, until when, and whether health runs wait too."""

    holder = serializers.CharField(read_only=True)
    until = serializers.DateTimeField()
    undisturbed = serializers.BooleanField(default=False)


class BoardSerializer(serializers.ModelSerializer[Board]):
    """A board without anything that helps to reach it; `busy` does not tell with whose run."""

    busy = serializers.SerializerMethodField()
    quirks = serializers.ListField(child=serializers.CharField(), read_only=True)
    fingerprint = serializers.DictField(read_only=True)
    reservation = serializers.SerializerMethodField()
    host_key_fingerprint = serializers.SerializerMethodField()
    labels = serializers.ListField(child=serializers.CharField(), read_only=True)

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
            "labels",
            "runtime_version",
            "agent",
            "fix_clocks",
            "state",
            "state_since",
            "busy",
            "free_at",
            "reservation",
            "reason",
            "fingerprint",
            "host_key_fingerprint",
            "seen_at",
            "created_at",
        ]

    def get_busy(self, board: Board) -> bool:
        return board.run_id is not None or bool(board.held_by)

    @extend_schema_field(ReservationSerializer(allow_null=True))
    def get_reservation(self, board: Board) -> dict[str, Any] | None:
        if not board.is_reserved:
            return None
        return {
            "holder": str(board.reserved_by),
            "until": board.reserved_until,
            "undisturbed": board.undisturbed,
        }

    def get_host_key_fingerprint(self, board: Board) -> str:
        return keys.fingerprint(board.host_key)


class BoardDetailSerializer(BoardSerializer):
    """One board, with its last temperature, the queue before it, its site's workers, and the run if in reach."""

    temperature_c = serializers.FloatField(allow_null=True, read_only=True)
    queued = serializers.SerializerMethodField()
    site_workers = serializers.SerializerMethodField()
    site_worker_seen_at = serializers.SerializerMethodField()
    run = serializers.SerializerMethodField()

    class Meta(BoardSerializer.Meta):
        fields = [
            *BoardSerializer.Meta.fields,
            "temperature_c",
            "queued",
            "site_workers",
            "site_worker_seen_at",
            "run",
        ]

    def get_queued(self, board: Board) -> int:
        return queue_lengths([board])[board.pk]

    def get_site_workers(self, board: Board) -> int:
        return len(state_of(board.site).workers)

    def get_site_worker_seen_at(self, board: Board) -> datetime | None:
        return state_of(board.site).seen_at

    def get_run(self, board: Board) -> int | None:
        mine = within(Run.objects.filter(holds=board), self.context["request"])
        return mine.values_list("pk", flat=True).first()


class PauseSerializer(serializers.Serializer[Any]):
    """Why the board is paused."""

    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class Boards(Reading[Board]):
    """Machines with an NPU."""

    queryset = Board.objects.select_related("reserved_by")
    serializer_class = BoardSerializer
    detail_serializer_class = BoardDetailSerializer
    project_path = "projects"
    narrowing = {
        "project": ("projects", int),
        "site": ("site", str),
        "platform": ("platform", str),
        "state": ("state", str),
        "name": ("name", str),
    }

    def reached(self, rows: QuerySet[Board]) -> QuerySet[Board]:
        return with_temperature(rows.distinct()) if self.action == "retrieve" else rows.distinct()

    @extend_schema(request=PauseSerializer, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def pause(self, request: Request, pk: int) -> Response:
        """Take the board out of service; a run that holds it goes on."""
        board = self._administered(request)
        asked = PauseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        pause(board, asked.validated_data["reason"], request.user)
        return Response(BoardSerializer(board).data)

    @extend_schema(request=PauseSerializer, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def drain(self, request: Request, pk: int) -> Response:
        """Let the board end what it runs; then it pauses by itself."""
        board = self._administered(request)
        asked = PauseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        drain(board, asked.validated_data["reason"], request.user)
        return Response(BoardSerializer(board).data)

    @extend_schema(request=ReservationSerializer, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def reserve(self, request: Request, pk: int) -> Response:
        """Reserve the board for oneself; who has it already moves the end."""
        board = self._usable(request)
        asked = ReservationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        try:
            reserve(board, request.user, wanted["until"], wanted["undisturbed"])
        except BadEnd as error:
            raise ValidationError({"until": [str(error)]}) from error
        except NotReserved as error:
            raise Conflict(str(error)) from error
        return Response(BoardSerializer(board).data)

    @extend_schema(request=None, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def release(self, request: Request, pk: int) -> Response:
        """Give the board back; admins end anybody's reservation."""
        board = self._usable(request)
        try:
            release(board, request.user, self._is_admin(request, board))
        except NotReserved as error:
            raise PermissionDenied(str(error)) from error
        return Response(BoardSerializer(board).data)

    @extend_schema(request=None, responses=BoardSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def resume(self, request: Request, pk: int) -> Response:
        """Take the board back into service, from pause or quarantine."""
        board = self._administered(request)
        resume(board, request.user)
        return Response(BoardSerializer(board).data)

    @extend_schema(request=None, responses={201: HealthCheckSerializer})
    @action(detail=True, methods=["post"], filter_backends=[])
    def check(self, request: Request, pk: int) -> Response:
        """Check the board with its golden model as soon as it is free."""
        board = self._administered(request)
        check = request_check(board, Cause.ASKED, f"{request.user} asked", user=request.user)
        if check is None:
            raise Conflict("It is being checked already." if under_way(board) else "No golden model fits it.")
        return Response(HealthCheckSerializer(check).data, 201)

    @extend_schema(request=PowerSwitchSerializer, responses=SwitchShownSerializer)
    @action(detail=True, methods=["post"], filter_backends=[], url_path="power-switch")
    def power_switch(self, request: Request, pk: int) -> Response:
        """Set up how the board's power is switched. It is encrypted, and not told again."""
        board = self._administered(request)
        asked = PowerSwitchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        switch = configure(board, PowerSwitchSerializer.wanted(data), data["automatic"], request.user)
        return Response(SwitchShownSerializer(switch).data)

    @extend_schema(request=None, responses={201: PowerCycleSerializer})
    @action(detail=True, methods=["post"], filter_backends=[], url_path="power-cycle")
    def power_cycle(self, request: Request, pk: int) -> Response:
        """Restart the board as soon as the run that holds it has ended."""
        board = self._administered(request)
        try:
            cycle = request_by_hand(board, request.user)
        except CannotSwitch as error:
            raise Conflict(str(error)) from error
        return Response(PowerCycleSerializer(cycle).data, 201)

    def _administered(self, request: Request) -> Board:
        """The board, for an admin of one of its projects that are in reach."""
        board = self.get_object()
        if not self._is_admin(request, board):
            raise PermissionDenied("Only an admin of a project that uses this board may do this.")
        return board

    def _usable(self, request: Request) -> Board:
        """The board, for those who may ask it for runs in one of the projects that are in reach."""
        board = self.get_object()
        roles = Membership.objects.filter(user=request.user.pk, role__in=CHANGERS, project__boards=board)
        if not roles.filter(project__in=projects_of(request)).exists():
            raise PermissionDenied("Only a developer of a project that uses this board may do this.")
        return board

    def _is_admin(self, request: Request, board: Board) -> bool:
        mine = projects_of(request) & Project.objects.administered_by(request.user)
        return board.projects.filter(pk__in=mine.values("pk")).exists()
