"""Traces: what a request and its items spend their time on, as spans, from the gateway to workers and couriers.

Like the counts, they belong to the process: whoever does something says so, and only an entry point decides
whether anybody hears of it. Until it does, a span costs less than a microsecond and nothing is imported for it.
"""

import atexit
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cutgate.jobs.settings import JobSettings

if TYPE_CHECKING:
    from cutgate.jobs.observe.otlp import OtlpTracer

Value = str | int | float | bool
"""Of an attribute."""


class Kind(StrEnum):
    """What a span is to those around it, in OpenTelemetry's terms."""

    INTERNAL = "internal"
    SERVER = "server"
    """It answers a caller."""
    CONSUMER = "consumer"
    """It does what another process has queued."""


_NO_SPAN: Final = nullcontext()
_tracer: "OtlpTracer | None" = None
"""Taken by a name of its own before it is asked: another thread may stop it."""


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
    from cutgate.jobs.observe.otlp import OtlpTracer  # only now: it takes memory, and need not be installed

    _tracer = OtlpTracer(settings.traces_url.get_secret_value(), settings.traces_share, part, own_share=of_callers)
    atexit.register(stop)


def stop() -> None:
    """Send what is left, for a second or two at most, and record nothing more."""
    global _tracer
    stopped, _tracer = _tracer, None
    if stopped is not None:
        stopped.stop()


def span(
    name: str, kind: Kind = Kind.INTERNAL, *, parent: str | None = None, **attributes: Value
) -> AbstractContextManager[object]:
    """A span that lasts as long as the block; spans that begin in the block, and in this thread, are its children.

    Args:
        name: what is done; one of few.
        kind: what it is to others.
        parent: the span that it belongs under, as `traceparent` wrote it; empty for none, so that a trace begins.
            None stands for the span of the block around it.
        attributes: as for `say`.
    """
    return _NO_SPAN if (tracer := _tracer) is None else tracer.span(name, kind, parent, attributes)


def keep() -> Callable[[], AbstractContextManager[object]]:
    """Let the present span go on after its block.

    Returns:
        Makes the block, perhaps of another thread, with which it ends.
    """
    return nullcontext if (tracer := _tracer) is None else tracer.keep()


def past(
    name: str, seconds: float, ended_ns: int | None = None, /, *, parent: str | None = None, **attributes: Value
) -> None:
    """A span that took so many seconds and ended at a time since 1970, or ends now."""
    if (tracer := _tracer) is not None:
        tracer.past(name, seconds, ended_ns, parent, attributes)


def say(**attributes: Value) -> None:
    """Note facts of the present span, by OpenTelemetry's names or as `cutgate.<name>`. Never a secret."""
    if (tracer := _tracer) is not None:
        tracer.say(attributes)


def fail(kind: str) -> None:
    """Note that what the present span does has failed, by the kind: never by a text, which may hold a secret."""
    if (tracer := _tracer) is not None:
        tracer.fail(kind)


def are_recorded() -> bool:
    """Whether anybody hears of spans: what is not at hand need not be gathered for them."""
    return _tracer is not None


def traceparent() -> str:
    """The present span as W3C's Trace Context writes it, for a process that goes on; empty where there is none."""
    return "" if (tracer := _tracer) is None else tracer.traceparent()
