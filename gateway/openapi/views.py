"""Serves the description of the service, and a page on which one tries it.

The page works in the visitor's browser with the visitor's own keys, as the playground does, whose modules it
loads. Its viewer is Swagger UI, as the package `flask-swagger-ui` brings it.
"""

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from cutgate.gateway.openapi.document import by_call, describe
from cutgate.gateway.openapi.parts import ApiSection, Schema
from cutgate.gateway.openapi.postman import collection
from cutgate.gateway.static_files import StaticFiles, files_below, page_headers

STATIC_DIR: Final = Path(__file__).parent / "static"
VIEWER_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css")

# The viewer's sanitizer, and the page's own policy, which takes plain tags alone.
HEADERS: Final[Mapping[str, str]] = page_headers("dompurify default")


@dataclass(frozen=True, kw_only=True)
class ApiPages:
    """The description in each of its forms."""

    make_sections: Callable[[], Sequence[ApiSection]]
    """What each façade says of itself; called once, when somebody asks."""
    public_url: str | None
    """The service's address for whoever imports the Postman collection. When absent it is this machine's: the host
    that a request names may be anybody's invention."""
    has_page: bool
    """Whether there is a page to try the service on."""

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("openapi", __name__)
        rules = {"/openapi.json": self.document, "/postman.json": self.postman}
        if self.has_page:
            rules["/docs/openapi.json"] = self.split_document
            viewer = {f"viewer/{name}": viewer_folder() / name for name in VIEWER_FILES}
            StaticFiles({**files_below(STATIC_DIR), **viewer}, HEADERS).add_to(routes, "/docs")
        for rule, view in rules.items():
            routes.add_url_rule(rule, view_func=view, strict_slashes=True)
        return routes

    def document(self) -> Response:
        """Describe the service to machines."""
        return _json(self._document)

    def split_document(self) -> Response:
        """Describe it to the page, call by call."""
        return _json(json.dumps(self._split_document))

    def postman(self) -> Response:
        """Describe it to Postman."""
        # As the server says it, not a proxy: that may repeat the caller's host, port and all.
        own = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
        url = self.public_url or f"http://localhost:{own['SERVER_PORT']}"
        return _json(json.dumps(collection(self._sections, self._split_document, url)))

    @cached_property
    def _sections(self) -> Sequence[ApiSection]:
        return self.make_sections()

    @cached_property
    def _document(self) -> str:
        return json.dumps(describe(self._sections))

    @cached_property
    def _split_document(self) -> Schema:
        return by_call(self._sections)


def _json(text: str) -> Response:
    return Response(text, mimetype="application/json")


def viewer_folder() -> Path:
    """Where the viewer's files lie."""
    spec = importlib.util.find_spec("flask_swagger_ui")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package flask-swagger-ui, which cutgate[gateway] asks for, is not installed")
    return Path(spec.origin).parent / "dist"
