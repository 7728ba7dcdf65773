"""The page of the layers' data types of one leg."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from dashboard.conversions.recipe import InvalidRecipe, RecipeSettings
from dashboard.evaluations import services
from dashboard.evaluations.layertypes import (
    MOST_ROWS,
    LayerTypesForm,
    asking_again,
    proposing,
    rules_of_recipe,
)
from dashboard.evaluations.models import Leg
from dashboard.projects.access import must_change
from dashboard.registry.services import Refused

NEEDS = (
    "evaluation__project",
    "evaluation__recipe",
    "evaluation__version__model",
    "evaluation__calibration",
    "evaluation__samples",
    "evaluation__board",
    "source",
    "conversion__artifact__quantized",
    "quantization",
)


@require_http_methods(["GET", "HEAD", "POST"])
def layer_types(request: HttpRequest, pk: int) -> HttpResponse:
    """Which layers should have a data type of their own; a POST asks for an evaluation with these, or a proposal."""
    leg = get_object_or_404(Leg.objects.visible_to(request.user).select_related(*NEEDS), pk=pk)
    if request.method == "POST":
        must_change(leg.evaluation.project, request.user)
    if leg.conversion is None or not hasattr(leg.conversion, "artifact"):
        raise Http404
    form = LayerTypesForm(leg, request.POST or None, takes_proposal="take" in request.GET)
    if request.method == "POST" and (recipe := _recipe(request, form)):
        try:
            wanted = asking_again(leg.evaluation, recipe, request.user, form.cleaned_data["key"])
            return redirect(services.request_evaluation(leg.evaluation.version, wanted, request.user)[0])
        except Refused as refused:
            form.refuse(refused)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "evaluations/layer_types.html", _context(request, leg, form), status=status)


def _context(request: HttpRequest, leg: Leg, form: LayerTypesForm) -> dict[str, Any]:
    return {
        "leg": leg,
        "evaluation": leg.evaluation,
        "version": leg.evaluation.version,
        "model": leg.evaluation.version.model,
        "project": leg.evaluation.project,
        "form": form,
        "rules": rules_of_recipe(form.recipe),
        "has_figures": any(row.proposed and row.proposed.figure is not None for row in form.rows),
        "may_change": leg.evaluation.project.may_change(request.user),
        "left_out": len(form.every) - len(form.rows),
        "most": MOST_ROWS,
    }


def _recipe(request: HttpRequest, form: LayerTypesForm) -> RecipeSettings | None:
    """The recipe that is asked for; None when the form says nothing sensible."""
    if not form.is_valid():
        return None
    if "propose" in request.POST and rules_of_recipe(form.recipe).proposes:
        try:
            return proposing(form.recipe)
        except InvalidRecipe as error:  # with another setting of it, a batch say
            form.add_error(None, str(error))
            return None
    recipe: RecipeSettings = form.cleaned_data["recipe"]
    return recipe
