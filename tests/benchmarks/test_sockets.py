"""The benchmark of WebSockets, small: many connections on few threads, and PICPIK's callers still answered."""

from __future__ import annotations

from benchmarks.sockets import measure


def test_sockets_cost_no_threads_and_leave_submits_their_answers() -> None:
    measured = measure(idle=60, busy=6, seconds=1, processes=1)
    # Request threads, the sockets' loop and its helpers, the news: all of them bounded, and not by connections.
    assert measured.busy_threads <= 16 + 8 + 4
    assert len(measured.calls) >= 6
    assert len(measured.submits) >= 2
    assert max(measured.submits) < 30
    assert max(measured.pongs) < 10, "a client gives its connection up after that"
