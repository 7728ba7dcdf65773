"""Pages of lint: a source's findings for a target, the sums beside the form that asks for an evaluation."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.conversions.offers import READY
from dashboard.lint import services
from dashboard.lint.built import built_of
from dashboard.lint.correcting import seen_in_build
from dashboard.lint.findings import Counts
from dashboard.lint.rules import DTYPES, PLATFORMS
from dashboard.lint.shown import lint_version, rows_of
from dashboard.lint.targets import TOOLKITS, target_of, usual_target
from dashboard.projects.access import must_change
from dashboard.registry.models import ModelVersion, Source


def _sources(version: ModelVersion) -> list[Source]:
    return list(version.sources.select_related("inspection").defer("inspection__log"))


@require_safe
def source_lint(request: HttpRequest, pk: int) -> HttpResponse:
    """What a toolkit will probably do with each layer of a source (`?toolkit=&platform=&dtype=`)."""
    seen = Source.objects.visible_to(request.user).select_related("version__model__project")
    source = get_object_or_404(seen, pk=pk)
    version = source.version
    target = target_of(request.GET, usual_target(version))
    found = lint_version(version, [target], _sources(version))
    mine = found[source.pk][0]
    built = built_of(source, target)
    findings = seen_in_build(mine.findings, built) if built else list(mine.findings)
    context: dict[str, Any] = {
        "source": mine.source,
        "version": version,
        "model": version.model,
        "project": version.project,
        "linted": mine,
        "built": built,
        "counts": Counts.of(findings),
        "rows": rows_of(findings),
        "others": [one for (one,) in found.values() if one.source.pk != source.pk],
        "toolkits": TOOLKITS,
        "platforms": PLATFORMS[target.toolkit],
        "dtypes": DTYPES[target.toolkit],
        "may_inspect_again": mine.graph is None
        and services.may_be_inspected_again(mine.source)
        and version.project.may_change(request.user),
    }
    return render(request, "lint/source_lint.html", context)


@require_safe
def version_lint(request: HttpRequest, pk: int) -> HttpResponse:
    """The sums of every route of a version for one target: a piece of the page that asks for an evaluation. Nothing
    for a toolkit that converts nothing.
    """
    seen = ModelVersion.objects.visible_to(request.user).select_related("model__project")
    version = get_object_or_404(seen, pk=pk)
    if request.GET.get("toolkit") == READY:
        return HttpResponse()
    target = target_of(request.GET, usual_target(version))
    found = lint_version(version, [target], _sources(version))
    context = {"version": version, "target": target, "linted": [one for (one,) in found.values()]}
    return render(request, "lint/_version_lint.html", context)


@require_POST
def inspect_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Look into a file again whose inspection kept no layers."""
    seen = Source.objects.visible_to(request.user).select_related("version__model__project")
    source = get_object_or_404(seen, pk=pk)
    must_change(source.project, request.user)
    services.inspect_again(source, request.user)
    return redirect(source.version)
