"""Who calls: a project's token (`Authorization: Bearer lw_...`) or a signed-in page; what scopes allow."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from dashboard.projects.models import ApiToken, Project, Scope
from dashboard.projects.services import token_for


class TokenAuthentication(BaseAuthentication):
    """Finds the token's user; `request.auth` is the token, which binds the call to one project."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token_for(text.strip())
        if token is None:
            raise AuthenticationFailed(
                "This token is unknown, expired or revoked. Make a new one on the project's page."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """Signed in, and for a token: `read` to look, `write` to change."""

    message = "This token may not do that: it lacks the scope."

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        if not isinstance(request.auth, ApiToken):
            return True
        needed = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
        return needed in request.auth.scopes


def bound_project(request: Request) -> Project | None:
    """The only project that the caller's token may touch; None for a signed-in page."""
    return request.auth.project if isinstance(request.auth, ApiToken) else None
