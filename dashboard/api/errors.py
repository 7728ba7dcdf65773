"""The one shape of every error: `{"code", "message", "detail"}`."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.exceptions import PermissionDenied as ApiPermissionDenied
from rest_framework.response import Response
from rest_framework.views import exception_handler

from dashboard.jobs.failures import failure
from dashboard.registry.services import Refused

logger = logging.getLogger(__name__)
STATUS = {"model:too-large": 413, "system:store-full": 507}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every known error becomes the one shape; unknown ones stay 500s."""
    if isinstance(error, Refused):
        why = failure(error.code)
        status_code = STATUS.get(error.code, status.HTTP_422_UNPROCESSABLE_ENTITY)
        return Response(
            {"code": error.code, "message": f"{why.title}. {why.advice}", "detail": error.detail}, status_code
        )
    response = exception_handler(error, context)
    if response is None:
        return None
    response.data = _shape(_known(error))
    return response


def _known(error: Exception) -> APIException:
    if isinstance(error, Http404):
        return NotFound()
    if isinstance(error, PermissionDenied):
        return ApiPermissionDenied()
    assert isinstance(error, APIException)
    return error


def _shape(error: APIException) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        return {"code": "request:invalid", "message": "The request is not valid.", "detail": error.detail}
    return {
        "code": f"request:{error.default_code.replace('_', '-')}",
        "message": str(error.detail),
        "detail": None,
    }
