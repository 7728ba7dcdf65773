"""Pages of the entrance, the projects, their members and their tokens."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.evaluations.latest import attach_evaluations, models_with_latest, with_origin
from dashboard.evaluations.models import Evaluation
from dashboard.projects import services
from dashboard.projects.access import admin_in, developer_in, membership_in
from dashboard.projects.forms import MemberForm, SignInForm, TokenForm
from dashboard.projects.models import CHANGERS, Membership, Role

SHOWN_SETS = 10  # on the project's page; all are on a page of their own


class SignIn(LoginView):
    """The only page that everybody sees."""

    template_name = "projects/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """The projects that the user is a member of."""
    memberships = (
        Membership.objects.filter(user=request.user.pk)
        .select_related("project")
        .annotate(model_count=Count("project__models"))
        .order_by("project__name")
    )
    return render(request, "projects/projects.html", {"memberships": memberships})


@require_safe
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """One project: models with their latest verdict, input sets, boards, latest evaluations."""
    membership = membership_in(slug, request.user)
    mine = membership.project
    models = Paginator(models_with_latest(mine), 50).get_page(request.GET.get("page"))
    attach_evaluations(models.object_list)
    evaluations = (
        with_origin(Evaluation.objects.in_project(mine))
        .select_related("version__model", "board", "created_by")
        .prefetch_related("legs__source")[:10]
    )
    sets = list(mine.input_sets.select_related("inspection").defer("inspection__log")[: SHOWN_SETS + 1])
    context = {
        "project": mine,
        "membership": membership,
        "may_change": membership.role in CHANGERS,
        "is_admin": membership.role == Role.ADMIN,
        "models": models,
        "evaluations": evaluations,
        "input_sets": sets[:SHOWN_SETS],
        "has_more_sets": len(sets) > SHOWN_SETS,
        "boards": mine.boards.all()[:50],
    }
    return render(request, "projects/project.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is a member, for admins; a posted name is added, or its role changed."""
    mine = admin_in(slug, request.user)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user, role = form.cleaned_data["username"], Role(form.cleaned_data["role"])
        if _is_last_admin(mine.memberships.filter(user=user).first()) and role != Role.ADMIN:
            form.add_error("role", "A project needs an admin; make somebody else one first.")
        else:
            services.set_role(mine, user, role, by=request.user)
            return redirect("members", slug)
    status = 422 if form.errors else 200
    rows = mine.memberships.select_related("user").order_by("user__username")
    return render(
        request, "projects/members.html", {"project": mine, "members": rows, "form": form}, status=status
    )


@require_POST
def remove_member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a member out; the last admin stays."""
    mine = admin_in(slug, request.user)
    if not services.remove_member(get_object_or_404(mine.memberships, pk=pk), by=request.user):
        messages.error(request, "A project needs an admin; make somebody else one first.")
    return redirect("members", slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's tokens (admins see everybody's); a new one's secret is shown in this one answer only."""
    membership = membership_in(slug, request.user)
    form, secret = TokenForm(request.POST or None), ""
    if request.method == "POST":
        developer_in(slug, request.user)
        if form.is_valid():
            _, secret = services.make_token(
                membership.project, request.user, form.cleaned_data["name"], form.scopes(), form.expires_at()
            )
            form = TokenForm()
    rows = membership.project.tokens.select_related("user").order_by("-pk")
    if membership.role != Role.ADMIN:
        rows = rows.filter(user=membership.user)
    context: dict[str, Any] = {"project": membership.project, "membership": membership, "tokens": rows[:200]}
    context |= {"form": form, "secret": secret, "may_change": membership.role in CHANGERS}
    return render(request, "projects/tokens.html", context, status=422 if form.errors else 200)


@require_POST
def revoke_token(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End a token: one's own, or anybody's for admins."""
    membership = membership_in(slug, request.user)
    token = get_object_or_404(membership.project.tokens, pk=pk)
    if token.user_id != membership.user_id and membership.role != Role.ADMIN:
        raise PermissionDenied
    services.revoke(token, by=request.user)
    return redirect("tokens", slug)


def _is_last_admin(membership: Membership | None) -> bool:
    if membership is None or membership.role != Role.ADMIN:
        return False
    others = Membership.objects.filter(project=membership.project_id, role=Role.ADMIN)
    return not others.exclude(pk=membership.pk).exists()
