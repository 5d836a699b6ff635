"""Serves the playground: the files of `static/`, under a policy that lets nothing else in.

The page works in the visitor's browser with the visitor's own keys, so that neither this module nor any file
beside it holds a secret. It speaks to the API as any client does.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request

from cutgate.gateway.bundles import joined
from cutgate.gateway.static_files import StaticFiles, files_below, page_headers

STATIC_DIR: Final = Path(__file__).parent / "static"
SCRIPT: Final = "app.bundle.js"
STYLES: Final = "look/bundle.css"

HEADERS: Final[Mapping[str, str]] = page_headers("'none'")


def script() -> str:
    """All modules of the page in one; the page of the API loads some of them one by one."""
    paths = STATIC_DIR.rglob("*.js")
    return joined("app.js", {path.relative_to(STATIC_DIR).as_posix(): path.read_text("utf-8") for path in paths})


def styles() -> str:
    """All style sheets of the page in one, in the order of their names: later rules come before earlier ones."""
    return "".join(path.read_text("utf-8") for path in sorted((STATIC_DIR / "look").glob("*.css")))


def playground() -> Blueprint:
    """The routes of the page and of what it loads."""
    routes = Blueprint("playground", __name__)
    StaticFiles(files_below(STATIC_DIR), HEADERS, {SCRIPT: script, STYLES: styles}).add_to(routes, "/playground")
    routes.before_app_request(_front)
    return routes


def _front() -> Response | None:
    """Send a browser that is pointed at the service's address to the page, before the request finds its route.

    As a route this would count among the methods that `/` allows, where programs call the API.
    """
    if request.method not in {"GET", "HEAD"} or request.path != "/":
        return None
    if "text/html" not in {media_type for media_type, _ in request.accept_mimetypes}:
        return None
    headers = {**HEADERS, "Location": "playground", "Vary": "Accept"}
    return Response(status=HTTPStatus.SEE_OTHER, headers=headers)
