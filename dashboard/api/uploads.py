"""What the two uploading resources share: a body that is too long is refused before it is read."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from rest_framework.request import Request

from dashboard.registry.services import Refused, Upload

FORM_BYTES = 1_000_000  # what the fields beside the files may need
FILES = 8


def check_length(request: Request, files: int = FILES) -> None:
    """Refuse by the announced length. Raises Refused."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > files * settings.MAX_UPLOAD_BYTES + FORM_BYTES:
        limit = settings.MAX_UPLOAD_BYTES // 1_000_000
        raise Refused("model:too-large", f"The limit is {limit} MB a file.")


def upload_of(file: "UploadedFile[Any]", route: str, if_empty: str) -> Upload:
    """The file on its way in. Raises Refused with the code `if_empty` for a file without bytes."""
    name = file.name or ""
    if not file.size:
        raise Refused(if_empty, f"{name[:200]} has no bytes.")
    return Upload(name, file, route)
