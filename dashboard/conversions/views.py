"""The page of toolkits (what each living worker offers, and how to add what nobody has), and of an artifact's
histograms."""

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.conversions.histograms import Shows
from dashboard.conversions.models import Artifact
from dashboard.conversions.offered import workers
from dashboard.conversions.offers import HOW_TO_ADD, TOOLKITS
from dashboard.conversions.shown import Sought, by_layer
from dashboard.downloads import png

LAYERS_SHOWN = 100
FEW = 3  # so few layers are shown opened
ARTIFACT_NEEDS = ("conversion__recipe", "conversion__source__version__model__project")


@require_safe
def toolkits(request: HttpRequest) -> HttpResponse:
    """Living workers with their toolkits; toolkits that none of them has."""
    living = workers()
    had = {one.toolkit for worker in living for one in worker.offers}
    absent = [(name, HOW_TO_ADD.get(name, "")) for name in TOOLKITS if name not in had]
    return render(request, "conversions/toolkits.html", {"workers": living, "absent": absent})


@require_safe
def histograms(request: HttpRequest, pk: int) -> HttpResponse:
    """What the toolkit drew of each layer (`?layer=` a part of its name, `?shows=` weight, bias or out)."""
    artifact = get_object_or_404(
        Artifact.objects.visible_to(request.user).select_related(*ARTIFACT_NEEDS), pk=pk
    )
    sought = Sought.of(request.GET.dict())
    page = Paginator(by_layer(artifact, sought), LAYERS_SHOWN).get_page(request.GET.get("page"))
    version = artifact.conversion.source.version
    context = {
        "artifact": artifact,
        "version": version,
        "model": version.model,
        "project": version.model.project,
        "recipe": artifact.conversion.recipe,
        "page": page,
        "sought": sought,
        "kinds": Shows.choices,
        "opened": page.paginator.count <= FEW,
    }
    return render(request, "conversions/histograms.html", context)


@require_safe
def histogram_file(request: HttpRequest, pk: int, sha256: str) -> HttpResponseBase:
    """The picture of this content, when the artifact has it and the user may see that."""
    artifact = get_object_or_404(Artifact.objects.visible_to(request.user), pk=pk)
    if not artifact.histograms.filter(sha256=sha256).exists():
        raise Http404
    return png(request, sha256)
