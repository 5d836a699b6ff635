"""Serves results under their signed paths, in whole or in part, without a key.

With `?download=<name>` a browser saves the result under that name instead of showing it.
"""

import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from cutgate.gateway.http_headers import exposed
from cutgate.gateway.picpik.errors import Refused
from cutgate.gateway.pictures.files import CONFIDENCE_HEADER, file_response
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.urls import ResultPaths

_UNSAFE: Final = re.compile(r"[^\w .,()@+-]+")
_NAME_CHARACTERS: Final = 100
_DEFAULT_NAME: Final = "cutout"

SUBJECT_HEADER: Final = "Cutgate-Subject"
"""`found`, or `none` where the picture shows no subject and the result is transparent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPages:
    """Result pictures over HTTP."""

    paths: ResultPaths
    blobs: BlobStore
    clock: Callable[[], float] = time.time
    """Unix time in seconds."""

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("results", __name__)
        routes.after_request(_for_scripts)
        routes.get("/r/<mac>/<expires>/<task>/<index>/<name>")(self.get)
        return routes

    def get(self, mac: str, expires: str, task: str, index: str, name: str) -> Response:
        """Send one result.

        Raises:
            Refused: the path was altered or has expired, or the result is gone; all look alike.
            RequestedRangeNotSatisfiable: the range asked for lies outside.
            BlobStoreUnavailable: the blob store is away.
        """
        address = self.paths.open(mac, expires, f"{task}/{index}/{name}", self.clock())
        if address is None:
            raise Refused("no_result")
        try:
            answer = file_response(self.blobs, address.blob, address.media_type, address.confidence)
        except BlobMissing:
            raise Refused("no_result") from None
        # A blob is never changed, so its own name tells one version from another.
        answer.set_etag(address.blob.token)
        answer.cache_control.private = True
        answer.cache_control.max_age = max(0, int(expires) - int(self.clock()))
        answer.headers[SUBJECT_HEADER] = "found" if address.subject_found else "none"
        wanted = request.args.get("download")
        if wanted is not None:
            answer.headers["Content-Disposition"] = attachment(wanted, PurePosixPath(name).suffix)
        try:
            answer.make_conditional(request.environ, accept_ranges=True, complete_length=answer.content_length)
        except RequestedRangeNotSatisfiable:
            answer.close()
            raise
        return answer


def _for_scripts(answer: Response) -> Response:
    """Let scripts of any origin read a result, or why there is none. Its address is the only secret."""
    answer.headers.update(exposed((SUBJECT_HEADER, CONFIDENCE_HEADER)))
    return answer


def attachment(wanted: str, suffix: str) -> str:
    """The header that makes a browser save a result under a name, which may hold anything (RFC 6266).

    A name with another suffix than the format's gets that as well: nothing that can be started is saved from here.
    """
    # Of a path only the last part; then letters, digits and a few marks, none of them in front.
    name = _UNSAFE.sub("_", re.split(r"[/\\]", unicodedata.normalize("NFC", wanted))[-1]).lstrip(" ._-")
    stem = name.removesuffix(suffix)[:_NAME_CHARACTERS].strip(" ._") or _DEFAULT_NAME
    in_ascii = (stem + suffix).encode("ascii", "replace").decode("ascii").replace("?", "_")
    return f"attachment; filename=\"{in_ascii}\"; filename*=UTF-8''{quote(stem + suffix, safe='')}"
