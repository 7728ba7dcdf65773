"""The page of toolkits: what each living worker offers, and how to add what nobody has."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.conversions.offered import workers
from dashboard.conversions.offers import HOW_TO_ADD, TOOLKITS


@require_safe
def toolkits(request: HttpRequest) -> HttpResponse:
    """Living workers with their toolkits; toolkits that none of them has."""
    living = workers()
    had = {one.toolkit for worker in living for one in worker.offers}
    absent = [(name, HOW_TO_ADD.get(name, "")) for name in TOOLKITS if name not in had]
    return render(request, "conversions/toolkits.html", {"workers": living, "absent": absent})
