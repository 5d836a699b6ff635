"""Log line, count and span of every request, and the reason of one that is refused."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from cutgate.gateway.bodies import BodyWanted
from cutgate.gateway.observe.metrics import OTHER, count_request
from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.traces import Kind

_LOG: Final = structlog.get_logger(__name__)
_STARTED: Final = "cutgate.started"
_SPAN: Final = "cutgate.span"
"""Name in a request's environment of its span, once its view has asked for its body."""
_KEPT_HEADERS: Final = frozenset({"Allow", "Content-Range"})
"""What an HTTP error says beside its page."""
_UNTOLD: Final = "health"
"""The blueprint whose requests come every few seconds and say nothing."""


def observe(app: Flask) -> None:
    """Tell of every request of an application; to be called before other functions of requests are added."""
    app.before_request(_begin)
    app.after_request(_end)  # what is added later runs earlier
    app.teardown_request(_forget)


@dataclass(frozen=True, slots=True)
class PostponedRequest:
    """What goes with a request that is answered later, in a request context of its own."""

    facts: Mapping[str, Any]
    """Of `flask.g`."""
    bound: Mapping[str, Any]
    """What its lines belong to."""
    span: Callable[[], AbstractContextManager[object]]

    @classmethod
    def of_present(cls) -> PostponedRequest:
        """Have the present request told of once it is answered, and not when its view returns."""
        facts = {name: g.get(name) for name in g if name != "lasting"}
        kept = cls(facts, logs.facts(), traces.keep())
        g.is_kept = True
        return kept

    def bind(self) -> None:
        """Have the lines of the present thread, or task of a loop, belong to it."""
        logs.begin(**self.bound)

    def go_on(self) -> None:
        """Go on with it in the present request context, which tells of it at its end."""
        for name, value in self.facts.items():
            setattr(g, name, value)
        self.bind()
        g.lasting = ExitStack()
        g.lasting.enter_context(self.span())


def _begin() -> None:
    # A façade whose protocol gives requests an id binds that one instead. It is no secret.
    logs.begin(request_uuid=str(uuid.UUID(int=random.getrandbits(128), version=4)))
    # A request whose body comes later begins twice.
    g.started_at_seconds = request.environ.setdefault(_STARTED, time.monotonic())
    if traces.are_recorded() and request.blueprint != _UNTOLD:
        parent = request.headers.get("traceparent", "")
        begun = partial(traces.span, _name(), Kind.SERVER, parent=parent)
        g.lasting = ExitStack()
        g.lasting.enter_context(request.environ.pop(_SPAN, begun)())


def _end(response: Response) -> Response:
    """Tell. A path is not told: a result's opens it."""
    facade = request.blueprint
    if facade == _UNTOLD or g.get("is_kept"):
        return response
    seconds = time.monotonic() - g.started_at_seconds
    count_request(facade or OTHER, response.status_code, seconds)
    _LOG.info(
        "request",
        method=request.method,
        endpoint=request.endpoint,
        status=response.status_code,
        duration_ms=round(seconds * 1_000),
    )
    if traces.are_recorded():
        _tell_span(response)
    return response


def _tell_span(response: Response) -> None:
    if request.url_rule is not None:
        traces.say(method=request.method, route=request.url_rule.rule)
    traces.say(status=response.status_code, **_known("request_uuid", "action", "account", "task_uid", "ret_code"))
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        traces.fail(str(response.status_code))


def _forget(error: BaseException | None) -> None:
    """Leave nothing to the next request of this thread."""
    if isinstance(error, BodyWanted):
        request.environ[_SPAN] = traces.keep()
    if lasting := g.pop("lasting", None):
        lasting.close()
    logs.begin()


def _name() -> str:
    """One of few: a caller may send any method and any path."""
    rule = request.url_rule
    return "request" if rule is None else f"{request.method} {rule.rule}"


def _known(*names: str) -> dict[str, str]:
    """Those of these names that are bound to the request's log lines."""
    return {name: value for name in names if (value := logs.bound(name))}


def log_refusal(error: Exception, *, is_fault: bool) -> Mapping[str, str]:
    """Log why the present request is refused, with a traceback where it is this server's fault.

    Returns:
        The headers of the error that its answer keeps in every protocol.
    """
    if is_fault:
        _LOG.error("request_failed", exc_info=error)
    logs.bind(reason=f"{type(error).__name__}: {error}")
    found = error.get_headers() if isinstance(error, HTTPException) else ()
    return {name: value for name, value in found if name in _KEPT_HEADERS}
