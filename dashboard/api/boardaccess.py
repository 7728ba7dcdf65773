"""`/api/v1/boards/<id>/probe/`, `/access/`, `/admit/`, `/pin/`: getting into a known board, for its admins."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from dashboard.api.boards import BoardSerializer
from dashboard.api.parsing import FlatJSONParser
from dashboard.api.probes import ProbeSerializer
from dashboard.api.reach import found
from dashboard.api.registrations import AccessSerializer, FingerprintSerializer, administered, invalid
from dashboard.boards.models import Board
from dashboard.projects.models import Project
from dashboard.registration import services
from dashboard.registration.access import access_to, seen_from
from dashboard.registration.drafts import Unfit


class ReasonSerializer(serializers.Serializer[Any]):
    """Why, for the audit trail."""

    reason = serializers.CharField(max_length=120)


class PinSerializer(FingerprintSerializer):
    """What the board itself printed, and why its host key changed."""

    reason = serializers.CharField(max_length=80)


class BoardAccess(GenericViewSet[Board]):
    """Getting into one board."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    parser_classes = [FlatJSONParser]
    filter_backends = []
    metadata_class = None
    pagination_class = None

    @extend_schema(request=None, responses=ProbeSerializer)
    def probe(self, request: Request, pk: int) -> Response:
        """Probe the board, after the run that holds it; a probe that is under way is shared."""
        board, projects = self._administered(request, pk)
        probe = services.request_probe(board, projects[0], request.user)
        return Response(ProbeSerializer(probe, context={"request": request}).data)

    @extend_schema(responses=AccessSerializer)
    def access(self, request: Request, pk: int) -> Response:
        """The lines and commands for the board's authorized_keys and account."""
        board, _ = self._administered(request, pk)
        texts = access_to(board, services.public_key_of(board), board.host_key, seen_from(board))
        return Response(AccessSerializer(texts).data)

    @extend_schema(request=ReasonSerializer, responses=BoardSerializer)
    def admit(self, request: Request, pk: int) -> Response:
        """Take a board into service that no probe has passed."""
        board, _ = self._administered(request, pk)
        asked = ReasonSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.admit(board, asked.validated_data["reason"], request.user)
        return Response(BoardSerializer(board).data)

    @extend_schema(request=PinSerializer, responses=ProbeSerializer)
    def pin(self, request: Request, pk: int) -> Response:
        """Pin the host key that the last probe saw instead of the pinned one; the board is probed with it."""
        board, projects = self._administered(request, pk)
        asked = PinSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        try:
            services.pin_anew(board, said["fingerprint"], said["reason"], request.user)
        except Unfit as error:
            raise invalid(error) from error
        probe = services.request_probe(board, projects[0], request.user)
        return Response(ProbeSerializer(probe, context={"request": request}).data)

    def _administered(self, request: Request, pk: int) -> tuple[Board, QuerySet[Project]]:
        """The board, and the projects in reach through which the caller administers it."""
        rows: QuerySet[Board] = Board.objects.distinct()
        board = found(rows, request, pk, path="projects")
        mine = administered(request).filter(boards=board).order_by("pk")
        if not mine.exists():
            raise PermissionDenied("Only an admin of a project that uses this board may do this.")
        return board, mine
