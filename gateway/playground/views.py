"""Serves the playground: the files of `static/`, under a policy that lets nothing else in.

The page works in the visitor's browser with the visitor's own keys, so that neither this module nor any file
beside it holds a secret. It speaks to the API as any client does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from cutgate.gateway.static_files import StaticFiles, files_below, page_headers

STATIC_DIR: Final = Path(__file__).parent / "static"

HEADERS: Final[Mapping[str, str]] = page_headers("'none'")


@dataclass(frozen=True)
class PlaygroundPages:
    """The page and what it loads."""

    files: StaticFiles = field(default_factory=lambda: StaticFiles(files_below(STATIC_DIR), HEADERS))

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("playground", __name__)
        self.files.add_to(routes, "/playground")
        return routes

    def front(self) -> Response | None:
        """Send a browser that is pointed at the service's address to the page, before the request finds its route.

        As a route this would count among the methods that `/` allows, where programs call the API.
        """
        if request.method not in {"GET", "HEAD"} or request.path != "/":
            return None
        if "text/html" not in {media_type for media_type, _ in request.accept_mimetypes}:
            return None
        headers = {**HEADERS, "Location": "playground", "Vary": "Accept"}
        return Response(status=HTTPStatus.SEE_OTHER, headers=headers)
