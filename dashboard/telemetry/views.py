"""Pages of what boards told over time: all changes of a fingerprint, and the sites with their workers."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboard.boards.models import Board, Run
from dashboard.telemetry.sites import site_states


@require_safe
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that ever changed of the board's fingerprint, newest first, of one field or all."""
    board = get_object_or_404(Board.objects.visible_to(request.user).defer("private_key"), pk=pk)
    rows = board.changes.order_by("-at", "-pk")
    fields = list(board.changes.order_by("field").values_list("field", flat=True).distinct()[:200])
    field = request.GET.get("field", "")
    rows = rows.filter(field=field) if field in fields else rows
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    visible = Run.objects.visible_to(request.user).filter(pk__in=[change.run_id for change in page])
    context = {"board": board, "page": page, "fields": fields, "field": field}
    context["visible_runs"] = set(visible.values_list("pk", flat=True))
    return render(request, "telemetry/changes.html", context)


@require_safe
def sites(request: HttpRequest) -> HttpResponse:
    """The sites of the boards that the user's projects may use, and whether a worker lives there."""
    return render(
        request, "telemetry/sites.html", {"sites": site_states(Board.objects.visible_to(request.user))}
    )
