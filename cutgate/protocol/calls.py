"""A client's calls to a service, written once for both clients."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from cutgate.errors import JobFailed, ServiceError, TransportError
from cutgate.files import write_whole
from cutgate.formats import require_match
from cutgate.pictures import Picture, file_of
from cutgate.protocol.connection import Connection, Retries, service_url
from cutgate.protocol.flows import Flow, in_thread
from cutgate.protocol.following import Following, Polls
from cutgate.protocol.picpik import (
    Balance,
    JobStatus,
    RefineOptions,
    Settings,
    Strokes,
    correction,
    signed_body,
    submission,
)

LONGEST_WAIT_SECONDS: Final = 5
"""How long one call lets the service wait for a job's end."""
WAIT_SECONDS: Final = 300.0
"""How long a caller waits for one picture unless told otherwise."""
IDS_PER_CALL: Final = 100

OnStatus = Callable[[JobStatus], object]
T = TypeVar("T")


@dataclass(eq=False, repr=False)
class JobHandle:
    """A job's id, and how the job ended once that is known: then it is not asked for again."""

    uid: str
    ended: JobStatus | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uid!r})"

    @property
    def subject_found(self) -> bool | None:
        """Whether the result shows a subject: False where it is fully transparent.

        None until `result` or `save` has fetched it, and where the service does not say.
        """
        return None if self.ended is None else self.ended.subject_found

    @property
    def confidence(self) -> float | None:
        """How likely the result is right, 0 to 1; None until the job ended, and where the service does not say."""
        return None if self.ended is None else self.ended.confidence


class PicpikCalls:
    """One account's talk with one service, as flows."""

    def __init__(
        self,
        url: str,
        public_key: str,
        private_key: str,
        *,
        timeout_seconds: float,
        retries: Retries,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (public_key and private_key):
            raise ValueError("public_key and private_key must not be empty")
        self.url = service_url(url)
        self._connection = Connection(self.url, retries, clock)
        self._public_key, self._private_key = public_key, private_key
        self._silence_seconds = timeout_seconds
        self._longest_wait_seconds = min(LONGEST_WAIT_SECONDS, int(timeout_seconds / 2))

    def __repr__(self) -> str:
        return f"{str(self.url)!r}, {self._public_key!r}, '********'"

    def call(self, action: str, params: Mapping[str, Any]) -> Flow[Mapping[str, Any]]:
        """Any action of the protocol; raises `ServiceError` and `TransportError`, as do all that follow."""
        return self._connection.post(action, self._signed(action, params))

    def submit(self, picture: Picture, settings: Settings, request_uuid: str | None = None) -> Flow[str]:
        """Hand a picture in; returns the job's id."""

        def body() -> bytes:
            name = {} if request_uuid is None else {"request_uuid": request_uuid}
            return self._signed("RemoveBackground", submission(file_of(picture), settings) | name)

        answer = yield from self._connection.post("RemoveBackground", (yield from in_thread(body)))
        return str(self._read(lambda: answer["TaskUID"], "the answer names no task"))

    def unfinished(self) -> Flow[list[str]]:
        """Ids of the account's jobs that have not ended, oldest first."""
        answer = yield from self.call("ListRunningTasks", {})
        return self._read(lambda: [str(uid) for uid in answer["TaskUIDList"]], "the answer lists no tasks")

    def statuses(self, uids: Sequence[str], wait_seconds: float = 0) -> Flow[list[JobStatus]]:
        """Where jobs stand, in the order of `uids`.

        The service may hold its answer back for `wait_seconds`, until one of them ends. One that does not know
        `WaitSeconds` is asked without it from then on.
        """
        found: list[JobStatus] = []
        for first in range(0, len(uids), IDS_PER_CALL):
            some = uids[first : first + IDS_PER_CALL]
            answer = yield from self._details(some, min(int(wait_seconds), self._longest_wait_seconds))
            found += self._read(partial(_statuses, some, answer), "the answer has no details of the task")
        return found

    def _details(self, uids: Sequence[str], wait_seconds: int) -> Flow[Mapping[str, Any]]:
        params: dict[str, Any] = {"TaskUIDList": list(uids)}
        if wait_seconds > 0:
            try:
                return (yield from self.call("ListTasksDetails", {**params, "WaitSeconds": wait_seconds}))
            except ServiceError as error:
                if "WaitSeconds" not in error.message:
                    raise
            self._longest_wait_seconds = 0
        return (yield from self.call("ListTasksDetails", params))

    def status(self, handle: JobHandle, wait_seconds: float = 0) -> Flow[JobStatus]:
        """Where one job stands."""
        if handle.ended is not None:
            return handle.ended
        [status] = yield from self.statuses([handle.uid], wait_seconds)
        if status.ended:
            handle.ended = status
        return status

    def wait(
        self, handle: JobHandle, timeout_seconds: float, on_progress: OnStatus | None = None
    ) -> Flow[JobStatus]:
        """Wait until a job has finished: in the service, if it can; else by polls, every 0.2 s to every 2 s."""
        polls = self._polls(handle, timeout_seconds)
        while True:
            status = yield from polls.next()
            if on_progress is not None:
                on_progress(status)
            if status.state == "Error":
                raise JobFailed(handle.uid, status.error_code, status.error_message)
            if status.ended:
                return status

    def follow(self, handle: JobHandle, timeout_seconds: float) -> Following:
        """The job's states as they change."""
        polls = self._polls(handle, timeout_seconds)
        listen, read = partial(self._listen, handle), partial(self._told, handle)
        return Following(polls, None if handle.ended else listen, read, self._connection.clock)

    def _polls(self, handle: JobHandle, timeout_seconds: float) -> Polls:
        return Polls(partial(self.status, handle), handle.uid, timeout_seconds, self._connection.clock)

    def _listen(self, handle: JobHandle, seconds: float) -> Flow[httpx.Response | JobStatus]:
        """Ask for a stream of a job; where the service gives none, it says where the job stands."""
        # Where silence counts as a fault sooner than the service speaks, the stream has ended before.
        wait_seconds = max(1, int(min(seconds, self._silence_seconds / 2)))
        body = self._signed("ListTasksDetails", {"TaskUIDList": [handle.uid], "WaitSeconds": wait_seconds})
        try:
            answer = yield from self._connection.listen("ListTasksDetails", body)
        except ServiceError as error:
            if "WaitSeconds" not in error.message:
                raise
            return (yield from self.status(handle))
        return answer if isinstance(answer, httpx.Response) else self._told(handle, answer)

    def _told(self, handle: JobHandle, said: str | Mapping[str, Any]) -> JobStatus:
        """Where a job stands, as an event's data or an answer says."""

        def read() -> JobStatus:
            detail = json.loads(said) if isinstance(said, str) else said["TaskDetailList"][0]
            return JobStatus.from_detail(handle.uid, detail)

        status = self._read(read, "neither event nor answer has details of the task")
        if status.ended:
            handle.ended = status
        return status

    def result(
        self, handle: JobHandle, timeout_seconds: float, on_progress: OnStatus | None = None
    ) -> Flow[bytes]:
        """The result, waited for; raises what `wait` raises. The handle then knows whether it shows a subject."""
        status = yield from self.wait(handle, timeout_seconds, on_progress)
        if not status.result_urls or not status.result_urls[0]:
            raise JobFailed(handle.uid, status.error_code, "it finished without a result")
        result = yield from self._connection.download(status.result_urls[0])
        handle.ended = replace(status, subject_found=result.subject_found)
        return result.content

    def save(self, handle: JobHandle, path: Path, timeout_seconds: float) -> Flow[Path]:
        """Write the result, waited for, to a file that appears whole or not at all; returns its path."""
        content = yield from self.result(handle, timeout_seconds)
        require_match(path, content)
        yield from in_thread(partial(write_whole, path, content))
        return path

    def refine(
        self,
        handle: JobHandle,
        keep: Strokes,
        remove: Strokes,
        radius_px: int,
        options: RefineOptions,
        timeout_seconds: float,
    ) -> Flow[str]:
        """Have a job's result made anew from its mask, once it is there; returns the new job's id."""
        fields = correction(handle.uid, keep, remove, radius_px, options)
        yield from self.wait(handle, timeout_seconds)
        answer = yield from self.call("RefineTask", fields)
        return str(self._read(lambda: answer["TaskUID"], "the answer names no task"))

    def terminate(self, uid: str) -> Flow[None]:
        """End a job that has not ended, uncharged."""
        yield from self.call("TerminateTask", {"TaskUID": uid})

    def balance(self) -> Flow[Balance]:
        """The account's credits."""
        answer = yield from self.call("GetCreditBalance", {})
        return self._read(partial(Balance.from_answer, answer), "the answer has no credits")

    def _signed(self, action: str, params: Mapping[str, Any]) -> bytes:
        return signed_body(action, params, self._public_key, self._private_key)

    def _read(self, read: Callable[[], T], reason: str) -> T:
        """What an answer says, or an error when it is not there."""
        try:
            return read()
        except (LookupError, TypeError, ValueError):
            raise TransportError(str(self.url), reason) from None


def _statuses(uids: Sequence[str], answer: Mapping[str, Any]) -> list[JobStatus]:
    details = answer["TaskDetailList"]
    return [JobStatus.from_detail(uid, detail) for uid, detail in zip(uids, details, strict=True)]
