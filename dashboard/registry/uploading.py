"""Pages that take files: an upload that is too large is refused before it is read."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect

FORM_BYTES = 1_000_000  # what the other fields of the form may need
FILES = 4

View = Callable[..., HttpResponse]


def takes_files(view: View) -> View:
    """Answer 413 from the announced length alone; only then is the body read, with the CSRF check as the first reader.

    The check reads the whole body, so it is moved from before the view to inside of it (Django's documented way).
    """
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        most = FILES * settings.MAX_UPLOAD_BYTES + FORM_BYTES
        if not length.isdigit() or int(length) > most:
            limit = settings.MAX_UPLOAD_BYTES // 1_000_000
            return render(request, "413.html", {"limit_mb": limit}, status=413)
        return protected(request, *args, **kwargs)

    checked.takes_files = True  # type: ignore[attr-defined]  # for operations.middleware.BodyLimit
    return checked
