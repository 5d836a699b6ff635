"""Serves the playground: the files of `static/`, read once, under a policy that lets nothing else in.

The page works in the visitor's browser with the visitor's own keys, so that neither this module nor any file
beside it holds a secret. It speaks to the API as any client does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

PAGE: Final = "index.html"
STATIC_DIR: Final = Path(__file__).parent / "static"

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
"""What `static/` is made of; a file of another kind is not served."""

_POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # The visitor's photos and the results are shown from memory.
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    # A browser asks each time and is told that nothing changed: a new version is there at once.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    data: bytes
    media_type: str
    etag: str


@dataclass(frozen=True)
class PlaygroundPages:
    """The page and what it loads."""

    folder: Path = STATIC_DIR

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("playground", __name__)
        for rule, view in (
            ("/playground", self.page),
            ("/playground/", self.moved),
            ("/playground/<path:name>", self.file),
        ):
            routes.add_url_rule(
                rule, view_func=view, provide_automatic_options=False, strict_slashes=True, merge_slashes=False
            )
        return routes

    def front(self) -> Response | None:
        """Send a browser that is pointed at the service's address to the page, before the request finds its route.

        As a route this would count among the methods that `/` allows, where programs call the API.
        """
        if request.path != "/" or request.method not in {"GET", "HEAD"}:
            return None
        if "text/html" not in {media_type for media_type, _ in request.accept_mimetypes}:
            return None
        headers = {**HEADERS, "Location": "playground", "Vary": "Accept"}
        return Response(status=HTTPStatus.SEE_OTHER, headers=headers)

    def page(self) -> Response:
        """Send the page."""
        return self._send(PAGE)

    def moved(self) -> Response:
        """Send whoever adds a slash to the page, whose addresses are relative to it."""
        return Response(status=308, headers={**HEADERS, "Location": "../playground"})

    def file(self, name: str) -> Response:
        """Send what the page loads.

        Raises:
            NotFound: there is no such file.
        """
        if name == PAGE:
            raise NotFound
        return self._send(name)

    def _send(self, name: str) -> Response:
        file = self._files.get(name)
        if file is None:
            raise NotFound
        answer = Response(file.data, mimetype=file.media_type, headers=HEADERS)
        answer.set_etag(file.etag)
        answer.make_conditional(request.environ)
        return answer

    @cached_property
    def _files(self) -> Mapping[str, StaticFile]:
        """All that can be asked for, by name: a request's path is looked up here and never on the disk."""
        return {
            path.relative_to(self.folder).as_posix(): StaticFile(
                data=(data := path.read_bytes()),
                media_type=_MEDIA_TYPES[path.suffix],
                etag=hashlib.sha256(data).hexdigest()[:32],
            )
            for path in self.folder.rglob("*")
            if path.suffix in _MEDIA_TYPES
        }
