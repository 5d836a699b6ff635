"""Stopping a process by a signal."""

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue


def setter(stop: threading.Event) -> Callable[[], None]:
    """What a signal's handler calls to set an event, once.

    `Event.set` would wait for ever if the signal came while the same thread held the event's lock, as `wait` does
    for a moment. A `SimpleQueue` may interrupt itself.
    """
    calls: SimpleQueue[None] = SimpleQueue()

    def set_when_called() -> None:
        calls.get()
        stop.set()

    threading.Thread(target=set_when_called, name="stop", daemon=True).start()
    return partial(calls.put, None)
