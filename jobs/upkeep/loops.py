"""Threads that repeat a task and survive its errors."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from typing import Final, Self

import structlog
from typing_extensions import override

from cutgate.jobs.errors import ServiceUnavailable

log = structlog.get_logger(__name__)

CLOSE_SECONDS: Final = 5.0
"""How long closing waits for a call that is under way; the thread does not keep the process alive."""


class Every(AbstractContextManager["Every"]):
    """Calls a function again and again from a thread of its own, until it is closed.

    A service that is away is logged once when it goes and once when it is back, however often it was asked.
    """

    def __init__(self, seconds: float, call: Callable[[], object], name: str, *, at_once: bool = False) -> None:
        self._seconds, self._call, self._name, self._at_once = seconds, call, name, at_once
        self._away = False
        self._closed = threading.Event()
        # It logs as what started it does: a lease's loop, for instance, as its item.
        loop = partial(copy_context().run, self._loop)
        self._thread = threading.Thread(target=loop, name=name, daemon=True)

    @override
    def __enter__(self) -> Self:
        self._thread.start()
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)

    def _loop(self) -> None:
        if self._at_once:
            self._step()
        while not self._closed.wait(self._seconds):
            self._step()

    def _step(self) -> None:
        try:
            self._call()
        except ServiceUnavailable as error:
            if not self._away:
                log.warning("service_away", thread=self._name, kind=error.kind, message=error.message)
            self._away = True
        except Exception:
            # A loop is the last to mend things: no fault of one call may end it.
            log.exception("loop_failed", thread=self._name)
        else:
            if self._away:
                log.info("service_back", thread=self._name)
            self._away = False
