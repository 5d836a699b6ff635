"""Serves results under their signed paths, in whole or in part, without a key."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound, RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from jobs.blobs import BlobStore
from jobs.errors import BlobMissing
from jobs.urls import ResultPaths


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
        routes.add_url_rule(
            "/r/<mac>/<expires>/<task>/<index>/<name>", view_func=self.get, provide_automatic_options=False
        )
        return routes

    def get(self, mac: str, expires: str, task: str, index: str, name: str) -> Response:
        """Send one result.

        Raises:
            NotFound: the path was altered or has expired, or the result is gone; all look alike.
        RequestedRangeNotSatisfiable: the range asked for lies outside.
            BlobStoreUnavailable: the blob store is away.
        """
        opened = self.paths.open(mac, expires, f"{task}/{index}/{name}", self.clock())
        if opened is None:
            raise NotFound
        key, media_type = opened
        try:
            file = self.blobs.open(key)
        except BlobMissing:
            raise NotFound from None
        size_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        answer = Response(wrap_file(request.environ, file), mimetype=media_type, direct_passthrough=True)
        answer.content_length = size_bytes
        # A blob is never changed, so its own name tells one version from another.
        answer.set_etag(key.token)
        answer.cache_control.private = True
        answer.cache_control.max_age = max(0, int(expires) - int(self.clock()))
        try:
            answer.make_conditional(request.environ, accept_ranges=True, complete_length=size_bytes)
        except RequestedRangeNotSatisfiable:
            file.close()
            raise
        return answer
