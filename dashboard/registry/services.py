"""Verbs of the registry: register a model, upload a version, upload an input set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from dashboard import files
from dashboard.jobs.models import State
from dashboard.projects.models import Project
from dashboard.projects.services import record, unique_slug
from dashboard.registry.bundle import TooMuch, bundled
from dashboard.registry.models import (
    InputSet,
    Inspection,
    Layout,
    ModelVersion,
    Purpose,
    RegisteredModel,
    Source,
)

ROUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
ROUTE_FILES = 2  # Caffe, Darknet and MXNet have a description and weights


class Refused(Exception):
    """The upload cannot be taken; `code` is a failure code, the text says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Upload:
    """One file on its way in."""

    filename: str
    stream: files.Readable
    route: str = "main"


@dataclass(frozen=True)
class Origin:
    """Where a version came from, as a training job tells it."""

    commit: str = ""
    training_url: str = ""
    tags: tuple[str, ...] = ()
    note: str = field(default="")


def register_model(project: Project, name: str, user: Any, description: str = "") -> RegisteredModel:
    """The project's model of this name, made when there is none yet."""
    with transaction.atomic():
        # two training jobs that begin at once wait here for each other
        Project.objects.select_for_update().get(pk=project.pk)
        existing: RegisteredModel | None = project.models.filter(name=name).first()
        if existing:
            return existing
        model = RegisteredModel.objects.create(
            project=project,
            name=name,
            slug=unique_slug(name, project.models.all()),
            description=description,
            created_by=user,
        )
        record("model.registered", project=project, user=user, subject=name)
    return model


def upload_version(
    model: RegisteredModel, uploads: Sequence[Upload], user: Any, origin: Origin | None = None
) -> tuple[ModelVersion, bool]:
    """Store the files and make them a version; the same files with the same commit again are the same version.
    Two files of one route are the two parts of one source.

    What an earlier inspection could not look into to a good end is looked into again. Returns the version and
    whether it is new. Raises Refused.
    """
    origin = origin or Origin()
    stored = {route: _store_route(files) for route, files in _by_route(uploads).items()}
    with transaction.atomic():
        # two uploads of the same files at once wait here for each other
        RegisteredModel.objects.select_for_update().get(pk=model.pk)
        same = _same_version(model, {route: file.sha256 for route, (_, file) in stored.items()}, origin)
        if same:
            for source in same.sources.all():
                _inspect_again(source, user)
            return same, False
        version = _make_version(model, user, origin)
        for route, (filename, file) in stored.items():
            source = Source.objects.create(
                version=version, route=route, filename=filename, sha256=file.sha256, size=file.size
            )
            _inspect(source, user)
        record("version.uploaded", project=model.project, user=user, subject=str(version))
    return version, True


def upload_input_set(  # noqa: PLR0917 - the nouns of an upload, in the order of the form
    project: Project, name: str, upload: Upload, purpose: Purpose, user: Any, layout: Layout = Layout.AS_IS
) -> tuple[InputSet, bool]:
    """Store samples; the same file for the same purpose again is the same input set. Raises Refused.

    It is looked into again when its inspection did not end well.
    """
    file = _store(upload.stream)
    with transaction.atomic():
        input_set, created = InputSet.objects.get_or_create(
            project=project,
            sha256=file.sha256,
            purpose=purpose,
            layout=layout,
            defaults={
                "name": name or clean_filename(upload.filename),
                "filename": clean_filename(upload.filename),
                "size": file.size,
                "created_by": user,
            },
        )
        if created:
            _inspect(input_set, user)
            record("input-set.uploaded", project=project, user=user, subject=input_set.name)
        else:
            _inspect_again(input_set, user)
    return input_set, created


def _by_route(uploads: Sequence[Upload]) -> dict[str, list[Upload]]:
    """The files of each route: one, or the two of a format that needs two. Raises Refused."""
    routes: dict[str, list[Upload]] = {}
    for upload in uploads:
        routes.setdefault(upload.route, []).append(upload)
    if not routes:
        raise Refused("recipe:invalid", "A version needs at least one source.")
    if odd := [route for route in routes if not ROUTE.fullmatch(route)]:
        raise Refused(
            "recipe:invalid", f"A route is up to 40 letters, digits, dots, dashes, not {odd[0]!r:.60}."
        )
    if crowded := [route for route, files in routes.items() if len(files) > ROUTE_FILES]:
        raise Refused("recipe:invalid", f"Route {crowded[0]} has more files than {ROUTE_FILES}.")
    return routes


def _store_route(uploads: Sequence[Upload]) -> tuple[str, files.Stored]:
    """Name and stored file of one route; two files become one zip. Raises Refused."""
    named = [(clean_filename(upload.filename), upload.stream) for upload in uploads]
    if len(named) == 1:
        return named[0][0], _store(named[0][1])
    if len({name for name, _ in named}) < len(named):
        raise Refused(
            "recipe:invalid", f"Both files of route {uploads[0].route} are named {named[0][0]!r:.60}."
        )
    try:
        with bundled(named, settings.MAX_UPLOAD_BYTES) as both:
            return f"{PurePosixPath(min(name for name, _ in named)).stem[:190]}.zip", _store(both)
    except TooMuch as error:
        raise too_large() from error


def _inspect(row: Source | InputSet, user: Any) -> None:
    """Queue the inspection of what was uploaded."""
    what = {"source": row} if isinstance(row, Source) else {"input_set": row}
    Inspection.objects.create(project=row.project, created_by=user, **what)


def _inspect_again(row: Source | InputSet, user: Any) -> None:
    """A failed or cancelled inspection makes room for another: the upload itself may be good."""
    ended = Inspection.objects.filter(pk=row.inspection.pk, state__in=[State.FAILED, State.CANCELLED])
    if ended.delete()[0]:
        _inspect(row, user)


def clean_filename(name: str) -> str:
    """The last part of a name from outside, without control characters; only for showing, never a path."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:200] or "unnamed"


def too_large() -> Refused:
    return Refused("model:too-large", f"The limit is {settings.MAX_UPLOAD_BYTES // 1_000_000} MB.")


def _store(stream: files.Readable) -> files.Stored:
    try:
        return files.put(stream, limit=settings.MAX_UPLOAD_BYTES)
    except files.TooLarge as error:
        raise too_large() from error
    except files.StoreFull as error:
        raise Refused("system:store-full", "The site's disk is full.") from error
    except files.StoreAway as error:
        raise Refused("system:store-away", "Nothing was stored.") from error


def _same_version(model: RegisteredModel, wanted: dict[str, str], origin: Origin) -> ModelVersion | None:
    """A version of this model with exactly these files and this commit."""
    first = next(iter(wanted.values()))
    candidates: QuerySet[ModelVersion] = model.versions.filter(
        commit=origin.commit, sources__sha256=first
    ).distinct()
    for version in candidates.prefetch_related("sources"):
        if {source.route: source.sha256 for source in version.sources.all()} == wanted:
            return version
    return None


def _make_version(model: RegisteredModel, user: Any, origin: Origin) -> ModelVersion:
    last = model.versions.aggregate(last=Max("number"))["last"] or 0
    return ModelVersion.objects.create(
        model=model,
        number=last + 1,
        commit=origin.commit,
        training_url=origin.training_url,
        tags=list(origin.tags),
        note=origin.note,
        created_by=user,
    )
