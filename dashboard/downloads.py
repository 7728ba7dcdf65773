"""Sending stored files: always as an attachment, never as something a browser would show or run."""

from django.http import FileResponse, Http404, HttpResponseBase

from dashboard import files


class Download(FileResponse):
    block_size = 1 << 18  # of a stream out of object storage; files on the disk are sent by the kernel


def download(sha256: str, filename: str) -> HttpResponseBase:
    """The stored file under this name. Raises Http404 when the store lost it, files.StoreAway."""
    try:
        length, stream = files.size(sha256), files.opened(sha256)
    except (files.Missing, ValueError) as error:
        raise Http404 from error
    response = Download(
        stream, as_attachment=True, filename=filename, content_type="application/octet-stream"
    )
    response.headers["Content-Length"] = str(length)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
