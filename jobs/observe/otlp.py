"""Spans through OpenTelemetry's SDK, to a collector over OTLP/HTTP: the one module that knows that library."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from cutgate.jobs.observe import logs
from cutgate.jobs.observe.traces import Kind, Value

SEND_SECONDS: Final = 2.0
"""How long a collector may take to answer, and how long the end of a process waits for that."""
DELAY_MILLISECONDS: Final = 1_000
"""How long a span waits for others to be sent with."""
WAITING_SPANS: Final = 4_096
"""Spans that may wait for a collector; more push the oldest out."""

_STANDARD: Final = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "error": "error.type",
}
"""What OpenTelemetry has names for."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_LOG: Final = structlog.get_logger(__name__)


class OtlpTracer:
    """Records spans and sends them from a thread of its own; a collector that is away costs spans, never time."""

    def __init__(self, url: str, share: float, part: str, *, own_share: bool) -> None:
        ratio = TraceIdRatioBased(share)
        resource = Resource.create(
            {
                "service.name": f"cutgate-{part}",
                "service.namespace": "cutgate",
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
        self._sending = _Sending(OTLPSpanExporter(endpoint=url, timeout=SEND_SECONDS))
        self._provider = TracerProvider(
            sampler=ParentBased(ratio, remote_parent_sampled=ratio) if own_share else ParentBased(ratio),
            resource=resource,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._sending, max_queue_size=WAITING_SPANS, schedule_delay_millis=DELAY_MILLISECONDS
            )
        )
        self._kept: set[Span] = set()
        self._tracer = self._provider.get_tracer("cutgate")

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Value]) -> Iterator[None]:
        """A span of the block; see `traces.span`."""
        begun = self._tracer.start_span(name, _context(parent), SpanKind[kind.name], _named(attributes))
        with self._within(begun):
            yield

    @contextmanager
    def _within(self, span: Span) -> Iterator[None]:
        told = {"trace_id": f"{span.get_span_context().trace_id:032x}"} if span.is_recording() else {}
        # No text of an exception is kept: it may hold a secret.
        with (
            use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False),
            logs.binding(**told),
        ):
            try:
                yield
            except Exception as error:
                self.fail(type(error).__name__)
                raise
            finally:
                self._end(span)

    def _end(self, span: Span) -> None:
        """End a span with its block, or with the later one of two blocks where it was kept."""
        try:
            self._kept.remove(span)
        except KeyError:
            span.end()

    def keep(self) -> Callable[[], AbstractContextManager[object]]:
        """See `traces.keep`."""
        span = get_current_span()
        self._kept.add(span)
        return partial(self._within, span)

    def past(
        self, name: str, seconds: float, ended_ns: int | None, parent: str | None, attributes: dict[str, Value]
    ) -> None:
        """See `traces.past`."""
        ended_ns = time.time_ns() if ended_ns is None else ended_ns
        span = self._tracer.start_span(
            name, _context(parent), attributes=_named(attributes), start_time=ended_ns - round(seconds * 1e9)
        )
        span.end(ended_ns)

    def say(self, attributes: dict[str, Value]) -> None:
        """See `traces.say`."""
        get_current_span().set_attributes(_named(attributes))

    def fail(self, kind: str) -> None:
        """See `traces.fail`."""
        self.say({"error": kind})
        get_current_span().set_status(Status(StatusCode.ERROR))

    def traceparent(self) -> str:
        """See `traces.traceparent`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent", "")

    def stop(self) -> None:
        """Send what is left."""
        self._sending.hurry()
        self._provider.shutdown()


class _Sending(SpanExporter):
    """Sends spans, and says once in the log that they do not arrive, and once that they do again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._away = False
        self._hurried = threading.Event()

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._away and self._hurried.is_set():
            return SpanExportResult.FAILURE
        result = self._result(spans)
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            _LOG.warning("traces_not_sent", spans=len(spans))
        elif self._away and not away:
            _LOG.info("traces_sent_again")
        self._away = away
        return result

    def _result(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            return self._exporter.export(spans)
        except Exception:
            # An address that is none, for instance; the library would say so for every batch.
            return SpanExportResult.FAILURE

    def hurry(self) -> None:
        """Try a collector that is away no more: the process ends."""
        self._hurried.set()

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


def _context(parent: str | None) -> Context | None:
    """Where a span begins: under a parent from elsewhere, under none, or (None) under the present one."""
    return None if parent is None else _PROPAGATOR.extract({"traceparent": parent}, Context())


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {_STANDARD.get(name, f"cutgate.{name}"): value for name, value in attributes.items()}
