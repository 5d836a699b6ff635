"""The share of a request's processor time that each part of its path takes.

The gateway's application is called in one process and one thread, on a real server and disk. Functions at the
seams between parts are timed; what one of them calls counts where it belongs.
"""

import importlib
import io
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import wraps
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from flask import Flask
from werkzeug.test import create_environ

from benchmarks.gateway.clients import Unexpected
from benchmarks.gateway.live import Gateway
from benchmarks.gateway.requests import Request
from benchmarks.gateway.rows import Cast, Row

FRAMEWORK: Final = "Flask: dispatch, contexts, response"
VIEW: Final = "the rest of the view"
LOG: Final = "log line, counts, span"

SEAMS: Final = (
    ("parse", "gateway.picpik.views", "parse_body"),
    ("parse", "gateway.runware.http.views", "read_message"),
    ("key", "gateway.accounts.key_pairs", "KeyPairs.known"),
    ("key", "gateway.accounts.authentication", "Authenticator.account_of"),
    ("verify", "gateway.picpik.views", "verify"),
    ("fields", "gateway.picpik.views", "read_request"),
    ("decode, look at the header", "gateway.tasks.submit", "Look.at"),
    ("digest", "gateway.tasks.submit", "content_digest"),
    ("LOOK", "jobs.ledger.redis.ledger", "RedisLedger.look"),
    ("blob", "jobs.blobs.file", "FileBlobStore.put"),
    ("CREATE", "jobs.ledger.redis.ledger", "RedisLedger.create"),
    ("details", "jobs.ledger.redis.reads", "RedisReads.poll"),
    ("answer", "gateway.picpik.views", "_answer"),
    ("answer", "gateway.runware.http.views", "RunwareApi._answer"),
)
"""A part, the module in which its function is looked up, and the function there."""

_HOOKS: Final = "cutgate.gateway.observe.request_log"


@dataclass(slots=True)
class Stopwatch:
    """Processor time of this thread by part, without that of parts within."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    _within: list[float] = field(default_factory=lambda: [0.0])

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed as a part."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            started = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.thread_time() - started
                self.seconds[part] += took - self._within.pop()
                self._within[-1] += took
                self.calls[part] += 1

        return timed

    def time_seam(self, part: str, module: str, name: str) -> None:
        """Time a function from now on, wherever it is called under this name.

        Raises:
            AttributeError: it is not there any more; its row in `SEAMS` is to be mended.
        """
        owner: Any = importlib.import_module(f"cutgate.{module}")
        *classes, name = name.split(".")
        for class_name in classes:
            owner = getattr(owner, class_name)
        raw = vars(owner).get(name)
        if raw is None:
            raise AttributeError(f"cutgate.{module} has no {name}: mend benchmarks/gateway/parts.py")
        function = self.timed(part, raw.__func__ if isinstance(raw, classmethod) else raw)
        setattr(owner, name, classmethod(function) if isinstance(raw, classmethod) else function)

    def time_app(self, app: Flask) -> None:
        """Time views, and what tells of requests, from now on."""
        app.view_functions = {name: self.timed(VIEW, view) for name, view in app.view_functions.items()}
        every_hook: tuple[Mapping[Any, list[Any]], ...] = (
            app.before_request_funcs,
            app.after_request_funcs,
            app.teardown_request_funcs,
        )
        for hooks in every_hook:
            for functions in hooks.values():
                functions[:] = [self.timed(LOG, hook) if hook.__module__ == _HOOKS else hook for hook in functions]


@dataclass(frozen=True, slots=True)
class Parts:
    """What one kind of request takes; microseconds for each request."""

    microseconds: Mapping[str, float]
    calls: Mapping[str, float]

    @property
    def total_us(self) -> float:
        """All parts together."""
        return sum(self.microseconds.values())


def measure_parts(gateway: Gateway, cast: Cast, rows: Sequence[Row], requests: int) -> dict[str, Parts]:
    """The parts of rows by their names, on the installation of a gateway of this checkout, in a fresh process."""
    plans = {}
    for row in rows:
        count = row.count(requests)
        # Of each account one, where there is time: a process remembers keys.
        first = row.make(cast, min(count, len(cast.paying)))
        measured = row.make(cast, count)
        plans[row.name] = _Plan(
            row.expected, measured if row.repeated else first, measured, cast.rest_seconds(count)
        )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, dict(gateway.installation.environment), plans).result()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is sent for a row."""

    expected: bytes
    first: Sequence[Request]
    measured: Sequence[Request]
    rest_seconds: float


def _measure(environment: Mapping[str, str], plans: Mapping[str, _Plan]) -> dict[str, Parts]:
    os.environ.update(environment)
    os.environ["CUTGATE_LOG_FORMAT"] = "json"
    os.environ["CUTGATE_TOTAL_QUEUE_CAP"] = "1000000"
    sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 — log lines, to the end
    from cutgate.gateway.serving.wsgi import app as make_app  # after the environment and standard error

    stopwatch = Stopwatch()
    for seam in SEAMS:
        stopwatch.time_seam(*seam)
    app = make_app()
    stopwatch.time_app(app)
    call = stopwatch.timed(FRAMEWORK, _called)
    found = {}
    for name, plan in plans.items():
        for requests in (plan.first, plan.measured):
            stopwatch.seconds.clear()
            stopwatch.calls.clear()
            for request in requests:
                call(app, _environ(request), plan.expected)
            time.sleep(plan.rest_seconds)
        count = len(plan.measured)
        each = {part: seconds / count * 1e6 for part, seconds in stopwatch.seconds.items()}
        found[name] = Parts(each, {part: calls / count for part, calls in stopwatch.calls.items()})
    return found


def _environ(request: Request) -> dict[str, Any]:
    head = request.head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:])
    path = head[0].split(" ")[1]
    environ = create_environ(path, method="POST", headers=headers)
    body = request.body
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1"}
    return environ


def _called(app: Flask, environ: dict[str, Any], expected: bytes) -> None:
    answer = app.wsgi_app(environ, lambda *_: lambda _: None)
    try:
        body = b"".join(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()
    if expected not in body:
        raise Unexpected(f"not {expected.decode()}: {body[:500].decode()}")
