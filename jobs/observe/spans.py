"""A span's kind and facts, and where spans go: what `traces` speaks to and `otlp` implements."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

Value = str | int | float | bool


class Kind(StrEnum):
    """What a span is to those around it, in OpenTelemetry's terms."""

    INTERNAL = "internal"
    SERVER = "server"
    """It answers a caller."""
    CONSUMER = "consumer"
    """It does what another process has queued."""


class Tracer(Protocol):
    """Where spans go."""

    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: dict[str, Value]
    ) -> AbstractContextManager[object]:
        """See `jobs.observe.traces.span`."""

    def keep(self) -> Callable[[], AbstractContextManager[object]]:
        """See `jobs.observe.traces.keep`."""

    def past(
        self, name: str, seconds: float, ended_ns: int | None, parent: str | None, attributes: dict[str, Value]
    ) -> None:
        """See `jobs.observe.traces.past`."""

    def say(self, attributes: dict[str, Value]) -> None:
        """See `jobs.observe.traces.say`."""

    def fail(self, kind: str) -> None:
        """See `jobs.observe.traces.fail`."""

    def traceparent(self) -> str:
        """See `jobs.observe.traces.traceparent`."""

    def stop(self) -> None:
        """Send what is left."""
