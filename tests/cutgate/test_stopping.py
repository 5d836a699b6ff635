"""Tests of stopping by a signal: a handler may interrupt whoever waits for the event."""

import signal
import threading

from cutgate.stopping import setter


def test_a_handler_sets_an_event_whose_lock_the_interrupted_thread_holds() -> None:
    stop = threading.Event()
    leave = setter(stop)
    before = signal.signal(signal.SIGUSR2, lambda *_: leave())
    try:
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert stop.wait(30)
