"""Responses whose body is a result's file."""

import io
from typing import Any, Final

from flask import Response
from werkzeug.wsgi import wrap_file

from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Result

CONFIDENCE_HEADER: Final = "Cutgate-Confidence"
"""How likely the cut-out is right, 0.00 to 1.00; absent where the result has no confidence."""


def picture_file(blobs: BlobStore, result: Result, environ: dict[str, Any]) -> Response:
    """A response that reads the file from the store as it is sent.

    Raises:
        BlobMissing: the store no longer has it.
        BlobStoreUnavailable: the store is away.
    """
    file = blobs.open(result.blob)
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    response = Response(wrap_file(environ, file), content_type=result.media_type, direct_passthrough=True)
    response.content_length = size_bytes
    return response
