"""Conversations without I/O: a flow says what to do, a driver does it and tells the flow what came of it.

Everything that the client decides is written once, as generators that yield the three steps below. `Driver`
carries them out in threads, `AsyncDriver` in an event loop, as httpx does with one `auth_flow` for both clients.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

EVENT_STREAM: Final = "text/event-stream"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send a request; its response, read to the end, is the answer, or an `httpx.TransportError`."""

    method: str
    url: httpx.URL
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool = False
    """Whether a response that is a stream of events is left to `Reading`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Read on in a stream, or close it: one for threads, one for event loops; or an `httpx.TransportError`."""

    blocking: Callable[[], object]
    awaited: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Blocking:
    """Do what takes a while on this machine: files, Base64, digests of pictures."""

    function: Callable[[], Any]


Step = Exchange | Reading | Pause | Blocking
Flow = Generator[Step, Any, T]
"""Steps on the way to a result of type `T`."""


def in_thread(function: Callable[[], T]) -> Flow[T]:
    """What the function returns, as a flow of one step."""
    result: T = yield Blocking(function)
    return result


class GivenUp(Exception):
    """The caller has stopped waiting for a flow, and is the only one to be told."""


class Driver:
    """Carries flows out in the thread that asks; any number of threads may.

    Flows that send no request need no `http`.
    """

    def __init__(self, http: httpx.Client | None, sleep: Callable[[float], object]) -> None:
        self._http, self._sleep = http, sleep

    def run(self, flow: Flow[T], given_up: threading.Event | None = None) -> T:
        """What a flow returns; `given_up` ends a pause, and the flow before its next step."""
        sleep = self._sleep if given_up is None else given_up.wait
        try:
            step = next(flow)
            while True:
                if given_up is not None and given_up.is_set():
                    raise GivenUp
                try:
                    came = self._do(step, sleep)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(came)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Step, sleep: Callable[[float], object]) -> object:
        match step:
            case Exchange():
                return self._exchange(step)
            case Reading(blocking, _):
                return blocking()
            case Pause(seconds):
                return sleep(seconds)
            case Blocking(function):
                return function()

    def _exchange(self, step: Exchange) -> httpx.Response:
        assert self._http is not None
        request = self._http.build_request(step.method, step.url, content=step.content, headers=step.headers)
        response = self._http.send(request, stream=step.is_stream)
        if not is_events(response):
            response.read()
        return response


class AsyncDriver:
    """Carries flows out in an event loop, and blocking steps in its threads."""

    def __init__(self, http: httpx.AsyncClient, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._http, self._sleep = http, sleep

    async def run(self, flow: Flow[T]) -> T:
        """What a flow returns; cancelling the task ends the flow."""
        try:
            step = next(flow)
            while True:
                try:
                    came = await self._do(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(came)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Step) -> object:
        match step:
            case Exchange():
                return await self._exchange(step)
            case Reading(_, awaited):
                return await awaited()
            case Pause(seconds):
                return await self._sleep(seconds)
            case Blocking(function):
                return await asyncio.to_thread(function)

    async def _exchange(self, step: Exchange) -> httpx.Response:
        request = self._http.build_request(step.method, step.url, content=step.content, headers=step.headers)
        response = await self._http.send(request, stream=step.is_stream)
        if not is_events(response):
            await response.aread()
        return response


def is_events(response: httpx.Response) -> bool:
    """Whether a response is a stream of events."""
    return bool(response.headers.get("Content-Type", "").startswith(EVENT_STREAM))
