"""For operators and their tools: does the process live, is the site ready, how is it doing."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard.operations.health import readiness
from dashboard.operations.metrics import exposition
from dashboard.operations.trust import is_trusted
from dashboard.telemetry.sites import SiteState, site_states


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks nothing and nobody."""
    return JsonResponse({"alive": True})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Everything the site needs is there (200) or not (503). What is wrong is told to trusted callers only.

    A lab without its worker is told too, but keeps the site from nothing.
    """
    checks = readiness()
    ready = all(check.ok for check in checks if check.is_vital)
    talks = checks[0].ok and is_trusted(request)  # whether somebody is staff is known only with the database
    shown = {check.name: {"ok": check.ok, **({"says": check.says} if talks else {})} for check in checks}
    sites = {"sites": [_told(state) for state in site_states()]} if talks else {}
    return JsonResponse({"ready": ready, "checks": shown, **sites}, status=200 if ready else 503)


def _told(state: SiteState) -> dict[str, Any]:
    """One site with its boards and living workers."""
    return {
        "site": state.name,
        "workers": list(state.workers),
        "worker_seen_at": state.seen_at,
        "boards": state.boards,
        "boards_in_service": state.ready,
    }


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, for trusted callers."""
    if not is_trusted(request):
        raise PermissionDenied
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
