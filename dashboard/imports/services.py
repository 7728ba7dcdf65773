"""Verbs of imports: request one, keep what was found in it."""

import math
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard import files
from dashboard.imports.found import Found, FoundScore
from dashboard.imports.models import Import, ImportedDump, ImportedScore, ImportedTable
from dashboard.jobs.models import State
from dashboard.layers.models import Comparison, Dump, Rung
from dashboard.layers.services import request_comparison, store_dump
from dashboard.projects.models import Project
from dashboard.projects.services import record
from dashboard.registry.services import Refused, Upload, clean_filename

NUMBERS = ("cosine", "euclidean", "euclidean_norm")
USEFUL = (State.QUEUED, State.RUNNING, State.SUCCEEDED)
# what the dumps of one import are held against, the first that is there
FLOAT_RUNGS = (Rung.CONVERTED, Rung.FRAMEWORK)


def request_import(
    project: Project, name: str, upload: Upload, user: Any, reference: Dump | None = None
) -> tuple[Import, bool]:
    """Store the upload and queue its reading; the same file with the same reference again is the same import.

    One that failed or was cancelled is made anew. Returns the import and whether it is new. Raises Refused.
    """
    stored = _store(upload)
    filename = clean_filename(upload.filename)
    with transaction.atomic():
        # two uploads of the same file at once wait here for each other
        Project.objects.select_for_update().get(pk=project.pk)
        known: QuerySet[Import] = Import.objects.filter(
            project=project, sha256=stored.sha256, reference=reference, state__in=USEFUL
        )
        if same := known.first():
            return same, False
        made = Import.objects.create(
            project=project,
            created_by=user,
            name=(name or filename)[:120],
            filename=filename,
            sha256=stored.sha256,
            size=stored.size,
            reference=reference,
        )
        record("import.requested", project=project, user=user, subject=made.name)
    return made, True


def _store(upload: Upload) -> files.Stored:
    try:
        return files.put(upload.stream, limit=settings.MAX_UPLOAD_BYTES)
    except files.TooLarge as error:
        limit = settings.MAX_UPLOAD_BYTES // 1_000_000
        raise Refused("import:too-large", f"The limit of an upload is {limit} MB.") from error
    except files.StoreFull as error:
        raise Refused("system:store-full", "The site's disk is full.") from error
    except files.StoreAway as error:
        raise Refused("system:store-away", "Nothing was stored.") from error


def store_dumps(project: Project, found: Found) -> list[tuple[Dump, str]]:
    """Put the dump files into the store; rows come later, with the job's end. Raises DamagedFile."""
    stored = []
    for one in found.dumps:
        dump = store_dump(project, one.file)
        dump.imported = True
        stored.append((dump, one.origin))
    return stored


def keep_import(imported: Import, found: Found, dumps: Sequence[tuple[Dump, str]]) -> None:
    """Write every row and ask for the comparisons; called in the transaction that ends the import."""
    for dump, origin in dumps:
        dump.save()
        ImportedDump.objects.create(imported=imported, dump=dump, origin=origin[:200])
    ImportedScore.objects.bulk_create(_scores(imported, found.scores), batch_size=500)
    ImportedTable.objects.bulk_create(
        ImportedTable(
            imported=imported,
            position=position,
            kind=table.kind,
            label=table.label[:80],
            origin=table.origin[:200],
            rows=table.rows,
            facts=table.facts,
        )
        for position, table in enumerate(found.tables)
    )
    Import.objects.filter(pk=imported.pk).update(parts=found.parts, ignored=found.ignored)
    for reference, candidate in pairs([dump for dump, _ in dumps], imported.reference):
        request_comparison(reference, candidate, imported.created_by)


def pairs(dumps: Sequence[Dump], reference: Dump | None) -> list[tuple[Dump, Dump]]:
    """Which dumps are compared: each with the float graph of the import, the board's with the quantized one, and all
    with the reference."""
    by_rung = {dump.rung: dump for dump in dumps}
    base = next((by_rung[rung] for rung in FLOAT_RUNGS if rung in by_rung), None)
    wanted = [(base, dump) for dump in dumps if base is not None and dump is not base]
    quantized, board = by_rung.get(Rung.QUANTIZED), by_rung.get(Rung.BOARD)
    if quantized and board:
        wanted.append((quantized, board))
    if reference:
        wanted += [(reference, dump) for dump in dumps]
    return [(one, other) for one, other in wanted if one is not None]


def comparisons_of(imported: Import) -> QuerySet[Comparison]:
    """The comparisons among the import's dumps, and of its reference with them, oldest first."""
    mine = ImportedDump.objects.filter(imported=imported).values("dump")
    against = Q(reference__in=mine)
    if imported.reference_id is not None:
        against |= Q(reference=imported.reference_id)
    rows: QuerySet[Comparison] = Comparison.objects.filter(against, candidate__in=mine)
    heavy = ("log", "reference__layers", "candidate__layers")
    return rows.select_related("reference", "candidate").defer(*heavy).order_by("pk")


def _scores(imported: Import, scores: Sequence[FoundScore]) -> list[ImportedScore]:
    rows, count = [], dict.fromkeys({score.scope for score in scores}, 0)
    for score in scores:
        numbers = {name: finite(score.printed.get(name)) for name in NUMBERS}
        rows.append(
            ImportedScore(
                imported=imported,
                scope=score.scope,
                position=count[score.scope],
                name=score.name[:300],
                key=score.key[:300],
                op=score.op[:60],
                dtype=score.dtype[:20],
                shape=list(score.shape),
                printed=dict(score.printed),
                **numbers,
            )
        )
        count[score.scope] += 1
    return rows


def finite(text: str | None) -> float | None:
    """The number that was printed; None for none, and for one that is not finite."""
    try:
        number = float(text or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
