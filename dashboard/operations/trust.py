"""Who may read the site's own figures: this machine, whoever holds the metrics token, signed-in staff."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

# a proxy on this machine speaks for the whole world, and says so with one of these
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via")


def is_trusted(request: HttpRequest) -> bool:
    """May this caller read metrics and the details of readiness?"""
    return _from_here(request) or _holds_token(request) or _is_staff(request)


def _from_here(request: HttpRequest) -> bool:
    if any(header in request.headers for header in FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _holds_token(request: HttpRequest) -> bool:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    wanted: str = settings.METRICS_TOKEN
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(text.encode(), wanted.encode())


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.user.is_staff and request.user.is_active)
