"""Responses whose body is a result's file."""

import io
from collections.abc import Callable
from typing import Final

from flask import Response, request
from werkzeug.wsgi import wrap_file

from cutgate.jobs.ids import BlobKey
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import ErrorFacts, Result, Task

CONFIDENCE_HEADER: Final = "Cutgate-Confidence"
"""How likely the cut-out is right, 0.00 to 1.00; absent where the result has no confidence."""


def file_response(blobs: BlobStore, blob: BlobKey, media_type: str, confidence: float | None) -> Response:
    """The answer to the present request that reads a file from the store as it is sent.

    Raises:
        BlobMissing: the store no longer has it.
        BlobStoreUnavailable: the store is away.
    """
    file = blobs.open(blob)
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    wrapped = wrap_file(request.environ, file)
    response = Response(wrapped, content_type=media_type, direct_passthrough=True)
    response.content_length = size_bytes
    if confidence is not None:
        response.headers[CONFIDENCE_HEADER] = f"{confidence:.2f}"
    return response


def result_of(task: Task, failure: Callable[[ErrorFacts], Exception], unfinished: Exception) -> Result:
    """The result of a task that has one picture.

    Args:
        task: as it stands.
        failure: what is raised of a picture that failed.
        unfinished: what is raised while there is no result.
    """
    [item] = task.items
    if item.error is not None:
        raise failure(item.error)
    if item.result is None:
        raise unfinished
    return item.result


def picture_file(blobs: BlobStore, result: Result) -> Response:
    """The answer whose body is a result; it raises as `file_response` does."""
    return file_response(blobs, result.blob, result.media_type, result.confidence)
