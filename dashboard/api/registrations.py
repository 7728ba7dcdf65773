"""`/api/v1/registrations/`: boards on their way in, for admins; the same verbs as on the pages."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from dashboard.api.probes import ProbeSerializer
from dashboard.api.reach import found, projects_of
from dashboard.api.reading import Reading
from dashboard.boards.keys import KeyKind
from dashboard.projects.models import Project
from dashboard.registration import services
from dashboard.registration.access import access_to, seen_from
from dashboard.registration.drafts import NPUS, Draft, Unfit
from dashboard.registration.models import Registration


class AccessSerializer(serializers.Serializer[Any]):
    """What to type on the board so that the site gets in; see "Registering a board" in docs/boards.md."""

    user = serializers.CharField()
    public_key = serializers.CharField()
    openssh_line = serializers.CharField()
    dropbear_line = serializers.CharField()
    openssh_account = serializers.CharField()
    dropbear_account = serializers.CharField()
    sudo_rule = serializers.CharField()
    host_key_commands = serializers.ListField(child=serializers.CharField())


class RegistrationSerializer(serializers.ModelSerializer[Registration]):
    """A board on its way in. Its private key is never told."""

    host_key_fingerprint = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField(), read_only=True)
    expires_at = serializers.DateTimeField()
    access = serializers.SerializerMethodField()

    class Meta:
        model = Registration
        fields = [
            "id",
            "project",
            "name",
            "address",
            "port",
            "username",
            "site",
            "platform",
            "npu",
            "simulated",
            "labels",
            "work_folder",
            "host_key_fingerprint",
            "access",
            "board",
            "created_at",
            "confirmed_at",
            "expires_at",
        ]

    @extend_schema_field(AccessSerializer)
    def get_access(self, registration: Registration) -> Any:
        return AccessSerializer(access_to(registration, registration.public_key, registration.host_key)).data


class DraftSerializer(serializers.Serializer[Any]):
    """A new board as it is asked for; without `private_key` the site makes one of `key_kind`."""

    project = serializers.IntegerField(min_value=1)
    projects = serializers.ListField(
        child=serializers.IntegerField(min_value=1), default=list, max_length=100
    )
    name = serializers.CharField(max_length=80)
    address = serializers.CharField(max_length=255)
    port = serializers.IntegerField(default=22, min_value=1, max_value=65535)
    username = serializers.CharField(max_length=64, default="layerwise")
    site = serializers.CharField(max_length=40, default="local")
    platform = serializers.CharField(max_length=40, default="rv1126")
    npu = serializers.ChoiceField(choices=list(NPUS), default="rknn1")
    simulated = serializers.BooleanField(default=False)
    labels = serializers.ListField(child=serializers.CharField(max_length=40), default=list, max_length=20)
    work_folder = serializers.CharField(max_length=200, default="", allow_blank=True)
    key_kind = serializers.ChoiceField(
        choices=[(str(kind), str(kind)) for kind in KeyKind], default="ed25519"
    )
    private_key = serializers.CharField(
        max_length=30_000, default="", allow_blank=True, trim_whitespace=False, write_only=True
    )


class FingerprintSerializer(serializers.Serializer[Any]):
    """What the board itself printed."""

    fingerprint = serializers.CharField(max_length=2000)


class Registrations(Reading[Registration]):
    """Boards on their way in, of projects that the caller administers."""

    queryset = Registration.objects.select_related("project")
    serializer_class = RegistrationSerializer
    narrowing = {"project": ("project", int), "name": ("name", str)}

    def reached(self, rows: QuerySet[Registration]) -> QuerySet[Registration]:
        """Lists hold what the caller administers; what is asked for by its number answers 403 to other members."""
        return rows.filter(project__in=administered(self.request)) if self.action == "list" else rows

    def get_object(self) -> Registration:
        registration = super().get_object()
        if not administered(self.request).filter(pk=registration.project_id).exists():
            raise PermissionDenied("Only an admin of the project may look at its registrations.")
        return registration

    @extend_schema(request=DraftSerializer, responses={201: RegistrationSerializer})
    def create(self, request: Request) -> Response:
        """Begin a registration: a worker of the site looks at the host key next."""
        asked = DraftSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        project = found(Project.objects.all(), request, said.pop("project"), path="pk")
        others = {int(pk) for pk in said.pop("projects")}
        mine = administered(request)
        if not mine.filter(pk=project.pk).exists():
            raise PermissionDenied("Only an admin of the project may register boards.")
        projects = list(mine.filter(pk__in=others))
        if len(projects) != len(others):
            raise ValidationError(
                {"projects": ["Only projects that you administer, and that this token reaches."]}
            )
        draft = Draft(**{**said, "labels": tuple(said["labels"]), "key_kind": KeyKind(said["key_kind"])})
        try:
            registration = services.begin(project, projects, draft, request.user)
        except Unfit as error:
            raise invalid(error) from error
        return Response(RegistrationSerializer(registration).data, HTTP_201_CREATED)

    @extend_schema(request=None, responses=ProbeSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def look(self, request: Request, pk: int) -> Response:
        """Ask a worker again for the host key."""
        registration = self.get_object()
        if registration.confirmed_at:
            raise ValidationError({"registration": ["It is confirmed already: probe the board."]})
        probe = services.look(registration, request.user)
        return Response(ProbeSerializer(probe, context={"request": request}).data)

    @extend_schema(request=FingerprintSerializer, responses=RegistrationSerializer)
    @action(detail=True, methods=["post"], filter_backends=[])
    def confirm(self, request: Request, pk: int) -> Response:
        """Pin the host key that was seen, if the board's own word agrees; the board is made and probed."""
        registration = self.get_object()
        asked = FingerprintSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            services.confirm(registration, asked.validated_data["fingerprint"], request.user)
        except Unfit as error:
            raise invalid(error) from error
        registration.refresh_from_db()
        return Response(RegistrationSerializer(registration).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], filter_backends=[])
    def discard(self, request: Request, pk: int) -> Response:
        """Forget a registration that was not confirmed, and its key."""
        services.discard(self.get_object(), request.user)
        return Response(status=HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=AccessSerializer)
    @action(detail=True, filter_backends=[])
    def access(self, request: Request, pk: int) -> Response:
        """The lines and commands for the board, with the address that the worker is seen from."""
        mine = self.get_object()
        texts = access_to(mine, mine.public_key, mine.host_key, seen_from(mine.board or mine))
        return Response(AccessSerializer(texts).data)


def administered(request: Request) -> QuerySet[Project]:
    """The projects in reach of this call that the caller administers."""
    return projects_of(request) & Project.objects.administered_by(request.user)


def invalid(error: Unfit) -> ValidationError:
    """The problems of a draft, field by field."""
    return ValidationError({name: [text] for name, text in error.problems.items()})
