"""Traces: what a request and its items spend their time on, as spans, from the gateway to workers and couriers.

Like the counts, they belong to the process: whoever does something says so, and only an entry point decides
whether anybody hears of it. Until it does, a span costs less than a microsecond and nothing is imported for it.
"""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from jobs.settings import JobSettings

Value = str | int | float | bool


class Kind(StrEnum):
    """What a span is to those around it, in OpenTelemetry's terms."""

    INTERNAL = "internal"
    SERVER = "server"
    """It answers a caller."""
    CONSUMER = "consumer"
    """It does what another process has queued."""


class Span(Protocol):
    """Something that is being done."""

    def say(self, **attributes: Value) -> None:
        """Note facts, as `keycut.<name>` or by the name that OpenTelemetry has for them. Never a secret."""

    def fail(self, kind: str) -> None:
        """Note that it failed, by the kind of error: never by its text, which may hold a secret."""


class Tracer(Protocol):
    """Where spans go."""

    def span(self, name: str, kind: Kind, parent: str | None) -> AbstractContextManager[Span]:
        """See `jobs.traces.span`."""

    def past(self, name: str, seconds: float, parent: str | None, attributes: dict[str, Value]) -> None:
        """See `jobs.traces.past`."""

    def traceparent(self) -> str:
        """See `jobs.traces.traceparent`."""

    def stop(self) -> None:
        """Send what is left."""


class _Off(Tracer, Span):
    """Hears of nothing."""

    def span(self, name: str, kind: Kind, parent: str | None) -> Self:  # noqa: ARG002 — as `Tracer` has it
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was begun."""

    def say(self, **attributes: Value) -> None:
        """Nobody listens."""

    def fail(self, kind: str) -> None:
        """Nobody listens."""

    def past(self, name: str, seconds: float, parent: str | None, attributes: dict[str, Value]) -> None:
        """Nobody listens."""

    def traceparent(self) -> str:
        return ""

    def stop(self) -> None:
        """Nothing is left."""


_OFF: Final = _Off()
_tracer: Tracer = _OFF


def start(settings: JobSettings, part: str, *, of_callers: bool = False) -> None:
    """Begin to record this process's spans, if the settings say where to send them.

    To be called in the very process that records: its threads do not survive a fork.

    Args:
        settings: where to, and how many.
        part: of the service, for its name.
        of_callers: spans may be parts of strangers' traces; whether such a one is recorded is then decided here.
    """
    global _tracer
    if settings.traces_url is None:
        return
    from jobs.otlp import OtlpTracer  # only now: it takes memory, and need not be installed

    _tracer = OtlpTracer(settings.traces_url.get_secret_value(), settings.traces_share, part, own_share=of_callers)
    atexit.register(stop)


def stop() -> None:
    """Send what is left, for a second or two at most, and record nothing more."""
    global _tracer
    stopped, _tracer = _tracer, _OFF
    stopped.stop()


def span(name: str, kind: Kind = Kind.INTERNAL, *, parent: str | None = None) -> AbstractContextManager[Span]:
    """A span that lasts as long as the block; spans that begin in the block, and in this thread, are its children.

    Args:
        name: what is done; one of few.
        kind: what it is to others.
        parent: the span that it belongs under, as `traceparent` wrote it; empty for none, so that a trace begins.
            None stands for the span of the block around it.
    """
    return _tracer.span(name, kind, parent)


def past(name: str, seconds: float, *, parent: str | None = None, **attributes: Value) -> None:
    """A span that took so many seconds and ends now."""
    _tracer.past(name, seconds, parent, attributes)


def traceparent() -> str:
    """The present span as W3C's Trace Context writes it, for a process that goes on; empty where there is none."""
    return _tracer.traceparent()
