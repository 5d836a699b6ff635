"""An OpenTelemetry collector over OTLP/HTTP that keeps what it is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.servers.relay import served
from tests.waiting import eventually


@dataclass(frozen=True)
class Seen:
    service: str
    span: Span
    attributes: dict[str, object]

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def seconds(self) -> float:
        return (self.span.end_time_unix_nano - self.span.start_time_unix_nano) / 1e9


@dataclass
class Collector:
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    away: bool = False
    """Hang up on whoever comes."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def spans(self) -> list[Seen]:
        return [seen for body in list(self.requests) for seen in decoded(body)]

    def trace_of(self, name: str, holds: Callable[[list[Seen]], bool]) -> list[Seen]:
        """The spans of the trace in which a span of this name came last, once they hold what they should."""

        def trace() -> list[Seen]:
            spans = self.spans()
            last = [span.trace_id for span in spans if span.name == name][-1:]
            return [span for span in spans if span.trace_id in last]

        eventually(lambda: trace() and holds(trace()), say=lambda: [(span.service, span.name) for span in trace()])
        return trace()


def decoded(body: bytes) -> Iterator[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    for group in request.resource_spans:
        resource = {pair.key: value_of(pair.value) for pair in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                attributes = {pair.key: value_of(pair.value) for pair in span.attributes}
                yield Seen(str(resource["service.name"]), span, attributes)


def value_of(value: AnyValue) -> object:
    return getattr(value, str(value.WhichOneof("value")))


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if collector.away:
                self.close_connection = True
                return
            collector.requests.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response_only(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        collector.port = server.server_address[1]
        yield collector
