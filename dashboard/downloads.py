"""Sending stored files: as attachments, never as something a browser would show or run. The one exception are pictures
that were checked to be nothing else before they were stored.
"""

from typing import BinaryIO

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response

from dashboard import files

# For addresses that hold the content's hash. Of this session only: the answer varies with its cookie.
KEPT = f"private, max-age={365 * 24 * 3600}, immutable"
PICTURE_HEADERS = {
    "Cache-Control": KEPT,
    # a picture needs nothing from anywhere; opened by itself it is a page without rights, which the browser styles
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Download(FileResponse):
    block_size = 1 << 18  # of a stream out of object storage; files on the disk are sent by the kernel


def download(sha256: str, filename: str) -> HttpResponseBase:
    """The stored file under this name. Raises Http404 when the store lost it, files.StoreAway."""
    length, stream = _opened(sha256)
    response = Download(
        stream, as_attachment=True, filename=filename, content_type="application/octet-stream"
    )
    response.headers["Content-Length"] = str(length)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def png(request: HttpRequest, sha256: str) -> HttpResponseBase:
    """The stored PNG file, to be shown on a page of ours and kept by the browser; 304 when it has it already.

    Only for files that were checked to be whole pictures, at addresses that hold their hash. Raises what `download`
    raises.
    """
    known = get_conditional_response(request, etag=f'"{sha256}"')
    if known is not None:
        known.headers["Cache-Control"] = KEPT
        return known
    length, stream = _opened(sha256)
    response = Download(stream, content_type="image/png")
    for name, value in PICTURE_HEADERS.items():
        response.headers[name] = value
    response.headers["Content-Length"] = str(length)
    response.headers["ETag"] = f'"{sha256}"'
    return response


def _opened(sha256: str) -> tuple[int, BinaryIO]:
    try:
        return files.size(sha256), files.opened(sha256)
    except (files.Missing, ValueError) as error:
        raise Http404 from error
