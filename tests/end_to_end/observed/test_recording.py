"""What is recorded, whose word counts for that, and what a collector that is away may cost."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any

import pytest

from cutgate.jobs.observe import metrics, traces
from cutgate.jobs.settings import JobSettings
from cutgate.worker.process.metrics import Stopwatch
from tests.end_to_end.observed.collector import Collector, collecting

pytestmark = pytest.mark.long

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LEFT_OUT = SAMPLED[:-1] + "0"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@contextmanager
def recording(url: str, share: float = 1, *, of_callers: bool = False) -> Iterator[None]:
    traces.start(JobSettings(traces_url=url, traces_share=share), "test", of_callers=of_callers)
    try:
        yield
    finally:
        traces.stop()


@pytest.mark.parametrize(
    ("share", "of_callers", "parent", "recorded"),
    [
        (1, True, "", True),
        (0, True, "", False),
        (1, True, SAMPLED, True),
        (0, True, SAMPLED, False),  # a caller cannot have everything recorded
        (1, True, LEFT_OUT, False),
        (0, False, SAMPLED, True),  # a worker does as the gateway decided
        (1, False, LEFT_OUT, False),
        (1, True, "no such thing", True),
    ],
)
def test_who_decides(collector: Collector, share: float, parent: str, *, of_callers: bool, recorded: bool) -> None:
    with recording(collector.url, share, of_callers=of_callers), traces.span("outer", parent=parent):
        handed_on = traces.traceparent()
        with traces.span("inner"):
            traces.past("step", 0.1)
    assert int(handed_on[-2:], 16) & 1 == recorded
    assert {span.name for span in collector.spans()} == ({"outer", "inner", "step"} if recorded else set())
    if parent in {SAMPLED, LEFT_OUT}:
        assert handed_on[3:35] == SAMPLED[3:35]


def test_a_span_that_an_error_ends_says_its_kind_alone(collector: Collector) -> None:
    with recording(collector.url), pytest.raises(ZeroDivisionError), traces.span("x", parent=""):
        raise ZeroDivisionError("secret")
    [span] = collector.spans()
    assert span.attributes == {"error.type": "ZeroDivisionError"}
    assert b"secret" not in b"".join(collector.requests)


@pytest.mark.parametrize("overlaps", [False, True])
def test_a_kept_span_ends_once_with_the_later_of_its_blocks(collector: Collector, *, overlaps: bool) -> None:
    def go_on(within: AbstractContextManager[object]) -> None:
        with within, traces.span("inner"):
            traces.say(status=200)

    with recording(collector.url):
        with traces.span("request", parent=""):
            within = traces.keep()()
            other = threading.Thread(target=go_on, args=[within])
            if overlaps:
                other.start()
                other.join()
            began_ns = time.time_ns()
        if not overlaps:
            other.start()
            other.join()
        with traces.span("next", parent=""):
            pass
    inner, request, following = collector.spans()
    assert [span.name for span in (inner, request, following)] == ["inner", "request", "next"]
    assert inner.parent == request.id
    assert request.span.end_time_unix_nano > began_ns
    assert following.parent == ""


def test_steps_begin_where_the_one_before_ended(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = metrics.observe

    def slow(*args: Any, **labels: Any) -> None:
        time.sleep(0.02)
        observe(*args, **labels)

    monkeypatch.setattr(metrics, "observe", slow)
    with recording(collector.url), traces.span("item", parent=""):
        watch = Stopwatch()
        for step in ("read", "choose", "write"):
            watch.ended(step)
    steps = [span.span for span in collector.spans()[:-1]]
    assert [step.name for step in steps] == ["read", "choose", "write"]
    for earlier, later in pairwise(steps):
        assert later.start_time_unix_nano == earlier.end_time_unix_nano
