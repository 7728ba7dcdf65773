"""The one shape of every error: `{"code", "message", "detail"}`."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404
from django.http.request import UnreadablePostError
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ParseError, ValidationError
from rest_framework.exceptions import PermissionDenied as ApiPermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from dashboard.files import StoreAway
from dashboard.jobs.failures import failure
from dashboard.registry.services import Refused

logger = logging.getLogger(__name__)
STATUS = {"model:too-large": 413, "import:too-large": 413, "system:store-full": 507, "system:store-away": 503}


class Conflict(APIException):
    """The request contradicts what an earlier one asked for."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This contradicts an earlier request."
    default_code = "conflict"


class TooLarge(APIException):
    """The body is longer than this site reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request's body is too large."
    default_code = "too_large"


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every error becomes the one shape; the unknown ones are logged and stay 500s."""
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, StoreAway):
        return _refused(Refused("system:store-away", ""))
    known = _known(error)
    response = exception_handler(known, context) if known else None
    if known is None or response is None:
        return _bug(error, context)
    response.data = _shape(known)
    return response


class NotHere(APIView):
    """Every address under /api/v1/ that nothing else answers."""

    metadata_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound


def _refused(error: Refused) -> Response:
    why = failure(error.code)
    data = {"code": error.code, "message": f"{why.title}. {why.advice}", "detail": error.detail}
    return Response(data, STATUS.get(error.code, status.HTTP_422_UNPROCESSABLE_ENTITY))


def _bug(error: Exception, context: dict[str, Any]) -> Response:
    """Our own fault: the log has the traceback, the caller a code to report."""
    logger.error("%s failed", type(context.get("view")).__name__, exc_info=error)
    got_request_exception.send(sender=None, request=context.get("request"))
    why = failure("system:bug")
    data = {"code": why.code, "message": f"{why.title}. {why.advice}", "detail": None}
    return Response(data, status.HTTP_500_INTERNAL_SERVER_ERROR)


def _known(error: Exception) -> APIException | None:
    match error:
        case APIException():
            return error
        case Http404():
            return NotFound()
        case PermissionDenied():
            return ApiPermissionDenied()
        case RequestDataTooBig():
            return TooLarge()
        case SuspiciousOperation() | UnreadablePostError():
            return ParseError("The request's body could not be read.")
    return None


def _shape(error: APIException) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        return {"code": "request:invalid", "message": "The request is not valid.", "detail": error.detail}
    code = getattr(error.detail, "code", None) or error.default_code
    return {"code": f"request:{code.replace('_', '-')}", "message": str(error.detail), "detail": None}
