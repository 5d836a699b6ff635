"""The operator's page at the port of metrics: read-only, and nothing of it is told without the operator's key."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import structlog
from flask import Blueprint, Flask, Response, request
from pydantic import SecretStr
from werkzeug.exceptions import HTTPException, NotFound, Unauthorized

from cutgate.gateway.operator.alerts import ledger_down
from cutgate.gateway.operator.history import find_task, task_history
from cutgate.gateway.operator.overview import overview
from cutgate.gateway.playground.views import STATIC_DIR as PLAYGROUND_DIR
from cutgate.gateway.static_files import StaticFiles, files_below, page_headers
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.ports import BlobStore

PATH: Final = "/operator"
KEEP_SECONDS: Final = 2.0
"""How long an overview counts: many pages cost the ledger one look."""
HEADERS: Final[Mapping[str, str]] = {**page_headers("'none'"), "X-Content-Type-Options": "nosniff"}
_STATIC_DIR: Final = Path(__file__).parent / "static"
_LOG: Final = structlog.get_logger(__name__)


class OperatorPages:
    """The page, what it loads, and what it asks for."""

    def __init__(self, ledger: Ledger, blobs: BlobStore, key: SecretStr, *, scales_to_zero: bool = False) -> None:
        """Put it together; whoever sends `key` as a bearer token sees all accounts."""
        self._ledger, self._blobs, self._key, self._scales_to_zero = ledger, blobs, key, scales_to_zero
        self._lock = threading.Lock()
        self._seen: dict[str, Any] = {}
        self._seen_at_seconds = -KEEP_SECONDS

    def app(self) -> Flask:
        """An application of its own, for the paths below `PATH`."""
        app = Flask("operator", static_folder=None)
        app.url_map.merge_slashes = False
        routes = Blueprint("operator", __name__)
        routes.add_url_rule(f"{PATH}/data", view_func=self.data, provide_automatic_options=False)
        routes.add_url_rule(f"{PATH}/tasks/<uid>", view_func=self.task, provide_automatic_options=False)
        # In the playground's colours and type.
        look = {
            name: PLAYGROUND_DIR / name for name in ("look/base.css", "page/theme.js", "page/dom.js", "icon.svg")
        }
        StaticFiles({**files_below(_STATIC_DIR), **look}, HEADERS).add_to(routes, PATH)
        app.register_blueprint(routes)
        app.register_error_handler(Exception, _refuse)
        return app

    def data(self) -> Response:
        """How the service is: what the command `status --json` prints."""
        self._require_key()
        return _json(self._overview())

    def task(self, uid: str) -> Response:
        """What became of a task: what the command `tasks show --json` prints."""
        self._require_key()
        task = find_task(self._ledger, uid)
        if task is None:
            raise NotFound("there is no such task, or its results have expired")
        return _json(task_history(self._ledger, task))

    def _overview(self) -> dict[str, Any]:
        with self._lock:
            if time.monotonic() - self._seen_at_seconds >= KEEP_SECONDS:
                self._seen = overview(self._ledger, lambda: self._blobs, scales_to_zero=self._scales_to_zero)
                self._seen_at_seconds = time.monotonic()
            return self._seen

    def _require_key(self) -> None:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        right = _digest(self._key.get_secret_value())
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(sent.strip()), right):
            raise Unauthorized("send the operator's key, CUTGATE_OPERATOR_KEY, as a bearer token")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _json(members: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return Response(json.dumps(members) + "\n", status, headers, mimetype="application/json")


def _refuse(error: Exception) -> Response:
    if isinstance(error, LedgerUnavailable):
        alert = asdict(ledger_down())
        return _json({"error": error.message, "alerts": [alert]}, HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(error, HTTPException):
        answer = _json({"error": error.description}, error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        if isinstance(error, Unauthorized):
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    _LOG.error("operators_page_failed", exc_info=error)
    return _json({"error": "the gateway made a mistake; its log says which"}, HTTPStatus.INTERNAL_SERVER_ERROR)
