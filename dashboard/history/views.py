"""The page of a model's history."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.history.charts import latency_chart, similarity_chart
from dashboard.history.trends import trend
from dashboard.registry.models import RegisteredModel


@require_safe
def history(request: HttpRequest, pk: int) -> HttpResponse:
    """Similarity and latency of a model over its versions, as charts and as a table."""
    model = get_object_or_404(
        RegisteredModel.objects.visible_to(request.user).select_related("project"), pk=pk
    )
    points = trend(model)
    context = {
        "model": model,
        "project": model.project,
        "points": Paginator(points[::-1], 50).get_page(request.GET.get("page")),
        "similarity": similarity_chart(points),
        "latency": latency_chart(points),
    }
    return render(request, "history/history.html", context)
