"""What conversions of a project have shown, read from their rows in one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.conversions.models import Conversion
from dashboard.jobs.models import State
from dashboard.lint.findings import Target
from dashboard.projects.models import Project

NEWEST = 200  # conversions that are looked at
DETAIL = 600


@dataclass(frozen=True)
class Attempt:
    """A conversion that ended: of which file, for what, and how it ended."""

    conversion: int
    sha256: str
    target: Target
    succeeded: bool
    failure: str
    detail: str
    operators: frozenset[str]
    toolkit_version: str


@dataclass(frozen=True)
class Evidence:
    """Ended conversions of a project, the newest first."""

    attempts: tuple[Attempt, ...] = ()

    def of_file(self, sha256: str, target: Target) -> Attempt | None:
        """The newest conversion of this file for this target."""
        return next((a for a in self.attempts if a.sha256 == sha256 and a.target == target), None)

    def with_operator(self, op: str, target: Target) -> Attempt | None:
        """The newest success with this operator in the source, by the same toolkit for the same platform."""
        return next(
            (
                attempt
                for attempt in self.attempts
                if attempt.succeeded
                and op in attempt.operators
                and (attempt.target.toolkit, attempt.target.platform) == (target.toolkit, target.platform)
            ),
            None,
        )


def evidence_of(project: Project) -> Evidence:
    """What the project's newest conversions have shown."""
    rows = Conversion.objects.filter(project=project, state__in=[State.SUCCEEDED, State.FAILED])
    fields = (
        "pk",
        "state",
        "failure",
        "detail",
        "recipe__settings",
        "source__sha256",
        "source__inspection__report__operators",
        "artifact__toolkit_version",
    )
    return Evidence(tuple(_attempt(*row) for row in rows.order_by("-pk").values_list(*fields)[:NEWEST]))


def _attempt(  # noqa: PLR0917 - the columns of the query, in its order
    pk: int,
    state: str,
    failure: str,
    detail: str,
    settings: Mapping[str, Any],
    sha256: str,
    operators: Mapping[str, Any] | None,
    version: str | None,
) -> Attempt:
    words = [str(settings.get(name, "")) for name in ("toolkit", "platform", "dtype")]
    return Attempt(
        pk,
        sha256,
        Target(*words),
        state == State.SUCCEEDED,
        failure,
        detail[:DETAIL],
        frozenset(operators or ()),
        version or "",
    )
