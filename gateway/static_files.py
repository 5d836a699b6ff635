"""Serves a page and what it loads: files that are read once, under a policy that lets nothing else in."""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
"""What pages are made of; a file of another kind is not served."""


PAGE: Final = "index.html"
"""The page itself among its files; it is sent at its own address alone."""

REVALIDATED: Final = "no-cache"
FOREVER: Final = "public, max-age=31536000, immutable"
"""For an address that holds the digest of what it gives."""
DIGEST_CHARACTERS: Final = 16

_POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # The visitor's photos, results and a viewer's icons are shown from memory.
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}


def page_headers(trusted_types: str) -> dict[str, str]:
    """What goes with each file of a page.

    Args:
        trusted_types: the policies by which the page may turn text into code, as its Content-Security-Policy
            names them.
    """
    policy = {**_POLICY, "trusted-types": trusted_types}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        # A browser asks each time and is told that nothing changed: a new version is there at once.
        "Cache-Control": REVALIDATED,
    }


def files_below(folder: Path) -> dict[str, Path]:
    """The files of a folder and of those in it, by the names that a page has for them."""
    paths = (path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES)
    return {path.relative_to(folder).as_posix(): path for path in paths}


@cache
def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@cache
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass(frozen=True)
class StaticFiles:
    """All that can be asked for."""

    paths: Mapping[str, Path]
    """By name: a request's path is looked up here and never on the disk."""
    headers: Mapping[str, str]
    made: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    """Texts that are made of other files, once."""

    def add_to(self, routes: Blueprint, path: str) -> None:
        """Serve the page at a path, and what it loads below it."""

        def moved() -> Response:
            """Send whoever adds a slash to the page, whose addresses are relative to it."""
            location = {"Location": f"..{path}"}
            return Response(status=HTTPStatus.PERMANENT_REDIRECT, headers={**self.headers, **location})

        for rule, view in ((path, self.page), (f"{path}/", moved), (f"{path}/<path:name>", self.file)):
            routes.add_url_rule(rule, view_func=view, provide_automatic_options=False, strict_slashes=True)

    def page(self) -> Response:
        """Send the page, which names what it loads by content: a browser keeps that and asks for nothing again."""
        return self._send(PAGE, self._page)

    def file(self, name: str) -> Response:
        """Send what the page loads."""
        data = self._files.get(name)
        if data is None or name == PAGE:
            raise NotFound
        answer = self._send(name, data)
        if request.args.get("v") == _digest(data)[:DIGEST_CHARACTERS]:
            answer.headers["Cache-Control"] = FOREVER
        return answer

    def _send(self, name: str, data: bytes) -> Response:
        media_type = MEDIA_TYPES[Path(name).suffix]
        answer = Response(data, mimetype=media_type, headers=self.headers)
        answer.set_etag(_digest(data))
        if media_type != "image/jpeg":  # which is compressed already
            answer.vary.add("Accept-Encoding")
            if request.accept_encodings.quality("gzip") > 0:
                answer.data = _gzipped(data)
                answer.content_encoding = "gzip"
                answer.set_etag(f"{_digest(data)}-gzip")
        answer.make_conditional(request.environ)
        return answer

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        read = {name: path.read_bytes() for name, path in self.paths.items()}
        return read | {name: make().encode() for name, make in self.made.items()}

    @cached_property
    def _page(self) -> bytes:
        def versioned(found: re.Match[str]) -> str:
            data = self._files.get(found["name"])
            return found[0] if data is None else f"{found[0]}?v={_digest(data)[:DIGEST_CHARACTERS]}"

        text = self._files[PAGE].decode()
        return re.sub(r'(?<=(?:src|ref)=")[a-z]+/(?P<name>[^"#?]+)', versioned, text).encode()
