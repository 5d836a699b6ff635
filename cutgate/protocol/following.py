"""A job's states one after the other: by polls, or by events where the service has them. No I/O."""

from collections.abc import Callable
from functools import partial
from typing import Final

import httpx

from cutgate.errors import JobTimeout
from cutgate.protocol.flows import Flow, Pause, Reading
from cutgate.protocol.picpik import JobStatus

FIRST_POLL_SECONDS: Final = 0.2
LONGEST_POLL_SECONDS: Final = 2.0
POLL_GROWTH: Final = 1.5
LONGEST_STREAM_SECONDS: Final = 30
"""How long a stream lasts before it is asked for anew, at most."""
_REOPEN_SECONDS: Final = 1.0
"""A stream that ends sooner is not asked for anew at once."""
_DATA: Final = "data:"

Ask = Callable[[float], Flow[JobStatus]]
"""Asks where the job stands; the service may hold the answer back for so many seconds, until the job ends."""
Listen = Callable[[float], Flow[httpx.Response | JobStatus]]
"""Asks for a stream of so many seconds; answers it, or where the job stands if the service gives none."""


class Polls:
    """Asks again and again: the service waits for the end, if it can; else every 0.2 s to every 2 s."""

    def __init__(self, ask: Ask, uid: str, timeout_seconds: float, clock: Callable[[], float]) -> None:
        self._ask, self._uid, self._clock = ask, uid, clock
        self._timeout_seconds = timeout_seconds
        self._asked_at = clock()
        self._ends_at = self._asked_at + timeout_seconds
        self._pause_seconds, self._wait_seconds = FIRST_POLL_SECONDS, 0.0
        self.last: JobStatus | None = None

    def next(self) -> Flow[JobStatus]:
        """Where the job stands; at once for the first time.

        Raises:
            JobTimeout: the time is over.
        """
        if self.last is not None:
            left_seconds = self.left_seconds()
            if self._wait_seconds and self._clock() - self._asked_at < FIRST_POLL_SECONDS:  # it does not wait
                yield Pause(min(self._pause_seconds, left_seconds))
                self._pause_seconds = min(self._pause_seconds * POLL_GROWTH, LONGEST_POLL_SECONDS)
            self._asked_at = self._clock()
            self._wait_seconds = self._ends_at - self._asked_at
        self.last = yield from self._ask(self._wait_seconds)
        return self.last

    def left_seconds(self) -> float:
        """Seconds until the time limit; raises `JobTimeout` once that is past."""
        left_seconds = self._ends_at - self._clock()
        if left_seconds <= 0:
            raise JobTimeout(self._uid, self._timeout_seconds, self.last.state if self.last else "Queuing")
        return left_seconds


class Following:
    """A job's states as they change: by events; by polls where the service has none, or no place for another."""

    def __init__(
        self, polls: Polls, listen: Listen | None, read: Callable[[str], JobStatus], clock: Callable[[], float]
    ) -> None:
        """Prepare; without `listen` by polls alone. `read` takes the data of an event."""
        self._polls, self._listen, self._read, self._clock = polls, listen, read, clock
        self._stream: httpx.Response | None = None
        self._next_line: Reading | None = None
        self._opened_at = 0.0

    def next(self) -> Flow[JobStatus | None]:
        """The next state that is another one; None once the job has ended. Raises what `Polls.next` raises."""
        last = self._polls.last
        if last is not None and last.ended:
            return None
        while True:
            status = yield from (self._told(self._listen) if self._listen else self._polls.next())
            if status is not None and status != last:
                self._polls.last = status
                return status

    def close(self) -> Flow[None]:
        """Hang up."""
        if self._stream is not None:
            stream, self._stream, self._next_line = self._stream, None, None
            yield Reading(stream.close, stream.aclose)

    def _told(self, listen: Listen) -> Flow[JobStatus | None]:
        """The next event's state; None where the stream is over."""
        if self._next_line is None:
            self._opened_at = self._clock()
            answer = yield from listen(min(LONGEST_STREAM_SECONDS, self._polls.left_seconds()))
            if isinstance(answer, JobStatus):
                self._listen = None
                return answer
            self._stream = answer
            # Only the one that the driver calls ever begins to read.
            lines, awaited = answer.iter_lines(), answer.aiter_lines()
            self._next_line = Reading(partial(next, lines, None), lambda: anext(awaited, None))
        try:
            while (line := (yield self._next_line)) is not None:
                if line.startswith(_DATA):
                    return self._read(line.removeprefix(_DATA))
        except httpx.TransportError:
            pass  # it is asked for anew
        yield from self.close()
        if self._clock() - self._opened_at < _REOPEN_SECONDS:
            yield Pause(min(_REOPEN_SECONDS, self._polls.left_seconds()))
        return None
