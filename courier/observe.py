"""Logs and traces of errands: the fields that all of an errand's lines and its span share, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cutgate.jobs.observe import logs, traces
from cutgate.jobs.observe.metric_names import ERRANDS
from cutgate.jobs.observe.metrics import count
from cutgate.jobs.observe.traces import Kind, Value
from cutgate.jobs.record import Errand


@contextmanager
def observed(errand: Errand) -> Iterator[None]:
    """Bind what an errand's lines belong to, and record its span, as long as the block lasts.

    Of its URL only the host is told, for the rest may hold a secret.
    """
    facts: dict[str, Value] = {
        "errand": str(errand.kind),
        "request_uuid": errand.request.uuid,
        "task_uid": errand.task,
        "item": errand.index,
        "account": errand.account,
        "attempt": errand.attempt,
        "host": _host(errand.url),
    }
    with (
        logs.binding(**facts),
        traces.span(f"errand {errand.kind}", Kind.CONSUMER, parent=errand.request.traceparent, **facts),
    ):
        yield


def ended(errand: Errand, outcome: str) -> None:
    """Tell what became of an errand: a row of `cutgate_errands_total`."""
    count(ERRANDS, kind=errand.kind, outcome=outcome)
    traces.say(outcome=outcome)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, ValueError):
        return ""
