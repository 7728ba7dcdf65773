"""What every request meets: a limit on its body, a word when the file store is away, and on the way back a strict
Content-Security-Policy."""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from dashboard.files import StoreAway

logger = logging.getLogger(__name__)
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        # Plotly sets styles on its elements; style attributes cannot run code
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ContentSecurityPolicy:
    """Adds the policy to every response: everything from here, nothing inline."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        return response


class FileStore:
    """A page that needs the file store while that is away says so, instead of looking like our own fault."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, StoreAway):
            return None
        logger.warning("the file store is away: %s", error)
        response = render(request, "503.html", status=503)
        response.headers["Retry-After"] = "30"
        return response


class BodyLimit:
    """Refuses by its announced length a body that is longer than forms are, before anybody reads it.

    The CSRF check reads the body of strangers too, and files in it would fill the disk. Views that take files are
    left alone: they ask who it is first, and have a limit of their own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        length, most = request.META.get("CONTENT_LENGTH") or "0", settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if takes_files(view) or (length.isdigit() and int(length) <= most):
            return None
        said = "The request's body is too large."
        if request.path.startswith("/api/"):
            return JsonResponse({"code": "request:too-large", "message": said, "detail": None}, status=413)
        return HttpResponse(said, status=413, content_type="text/plain")


def takes_files(view: Any) -> bool:
    """Does this view, or the class behind it, say that files may be uploaded to it?"""
    return bool(getattr(getattr(view, "cls", view), "takes_files", False))
