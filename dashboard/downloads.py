"""Sending stored files: always as an attachment, never as something a browser would show or run."""

from typing import BinaryIO

from django.http import FileResponse, Http404, HttpResponseBase

from dashboard import files


def download(sha256: str, filename: str) -> HttpResponseBase:
    """The stored file under this name. Raises Http404 when the store lost it."""
    try:
        stream: BinaryIO = files.existing(sha256).open("rb")
    except (files.Missing, ValueError) as error:
        raise Http404 from error
    response = FileResponse(
        stream, as_attachment=True, filename=filename, content_type="application/octet-stream"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
