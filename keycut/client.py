"""A client for the service, or for any other that speaks PICPIK's protocol."""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx

from keycut.connection import DEFAULT_RETRIES, Connection, Retries
from keycut.errors import JobFailed, JobTimeout, ServiceError, TransportError
from keycut.files import write_whole
from signing import sign_params

State = Literal["Queuing", "Running", "Finished", "Error"]
"""Where a job stands. The last two are final."""

FIRST_POLL_SECONDS: Final = 0.2
LONGEST_POLL_SECONDS: Final = 2.0
POLL_GROWTH: Final = 1.5
LONGEST_WAIT_SECONDS: Final = 5
"""How long one call lets the service wait for the job's end; Ctrl-C waits for no more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What the service says of a job."""

    state: State
    result_urls: tuple[str, ...]
    """Addresses of the results; empty until the job has finished."""
    credits: int
    """Credits charged."""
    error_code: int
    """0 while nothing is wrong."""
    error_message: str

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in {"Finished", "Error"}

    @classmethod
    def from_detail(cls, detail: Mapping[str, Any]) -> Self:
        """Read one entry of `TaskDetailList`."""
        return cls(
            state=detail["Status"],
            result_urls=tuple(detail.get("ImgList") or ()),
            credits=detail.get("ConsumeApiPoint") or 0,
            error_code=detail.get("ErrorCode") or 0,
            error_message=detail.get("ErrorMassage") or detail.get("ErrorMessage") or "",
        )


def signed_body(action: str, params: Mapping[str, Any], public_key: str, private_key: str) -> bytes:
    """A request as it goes over the wire: JSON with the common fields and the signature.

    Args:
        action: name of the operation.
        params: its own fields; a `request_uuid` among them is kept, else a new one is made.
        public_key: names the account.
        private_key: signs; it is no part of the body.
    """
    fields = {"request_uuid": str(uuid.uuid4()), **params, "Action": action, "PublicKey": public_key}
    return json.dumps({**fields, "Signature": sign_params(fields, private_key)}).encode()


class Client:
    """Talks to one service as one account; use it as a context manager, from any number of threads.

    Args:
        url: address of the service.
        public_key: names the account.
        private_key: signs the requests; never sent, never shown.
        timeout_seconds: longest silence on a connection.
        retries: how faults that pass are met: HTTP 429, 502, 503, 504 and broken connections. A repeat is the
            same signed request, by which the service knows it and does no work twice.
        transport: carries the requests in place of the network, for tests.
        sleep: pauses for so many seconds, for tests.

    Raises:
        ValueError: `url` is not an address, or a key is empty.
    """

    def __init__(
        self,
        url: str,
        public_key: str,
        private_key: str,
        *,
        timeout_seconds: float = 30,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (public_key and private_key):
            raise ValueError("public_key and private_key must not be empty")
        self._connection = Connection(
            url, timeout_seconds=timeout_seconds, retries=retries, transport=transport, sleep=sleep
        )
        self._public_key, self._private_key = public_key, private_key
        self._longest_wait_seconds = min(LONGEST_WAIT_SECONDS, int(timeout_seconds / 2))

    def __repr__(self) -> str:
        return f"Client({str(self._connection.url)!r}, {self._public_key!r}, '********')"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def call(self, action: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send any action of the protocol and return its answer.

        Args:
            action: name of the operation, for instance `ListTasksDetails`.
            params: its fields, of JSON's types; floats are better avoided, since signers differ on them.

        Raises:
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        return self._connection.post(
            action, signed_body(action, params or {}, self._public_key, self._private_key)
        )

    def remove_background(
        self,
        picture: str | os.PathLike[str] | bytes,
        *,
        box: tuple[int, int, int, int] | None = None,
        erode_size: int = 15,
        foreground_threshold: int = 240,
        background_threshold: int = 15,
        hair_optimization: Literal["auto", "on", "off"] = "auto",
        only_mask: bool = False,
    ) -> Job:
        """Hand a picture in. Returns as soon as the service has stored it.

        Args:
            picture: a file, or the file's bytes: JPEG, PNG, WebP and others.
            box: limits of the main object in pixels of the upright picture: left, top, right, bottom; the last
                two are outside it. Default: the whole picture.
            erode_size: width of the softened edge zone in pixels, 0 to 40.
            foreground_threshold: mask level above which a pixel is certain foreground, 0 to 255.
            background_threshold: mask level below which a pixel is certain background, 0 to 255.
            hair_optimization: refinement of fine structure; `auto` lets the service decide.
            only_mask: return the alpha matte as a grey picture, not the cut-out.

        Raises:
            ServiceError: the service refused the picture or the account.
            TransportError: no usable answer came.
            OSError: the file cannot be read.
        """
        content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        params: dict[str, Any] = {
            "RawImage": base64.b64encode(content).decode("ascii"),
            "ErodeSize": erode_size,
            "ForegroundThreshold": foreground_threshold,
            "BackgroundThreshold": background_threshold,
            "HairOptimization": hair_optimization,
            "OnlyMask": only_mask,
        }
        if box is not None:
            params["Box"] = list(box)
        return self.job(self.call("RemoveBackground", params)["TaskUID"])

    def details(self, uid: str, wait_seconds: float = 0) -> Mapping[str, Any]:
        """One task's entry of `ListTasksDetails`.

        The service may hold its answer back for `wait_seconds`, until the task ends. One that does not know
        `WaitSeconds` is asked without it from then on. Errors are those of `call`.
        """
        params: dict[str, Any] = {"TaskUIDList": [uid]}
        wait = min(int(wait_seconds), self._longest_wait_seconds)
        try:
            answer = self.call("ListTasksDetails", {**params, "WaitSeconds": wait} if wait > 0 else params)
        except ServiceError as error:
            if wait <= 0 or "WaitSeconds" not in error.message:
                raise
            self._longest_wait_seconds = 0
            answer = self.call("ListTasksDetails", params)
        try:
            return dict(answer["TaskDetailList"][0])
        except (LookupError, TypeError, ValueError):
            raise TransportError(str(self._connection.url), "the answer has no details of the task") from None

    def job(self, uid: str) -> Job:
        """A job that was handed in before, by its id; nothing is asked of the service yet."""
        return Job(self, self._connection, uid)


class Job:
    """One picture at the service. Made by `Client.remove_background` and `Client.job`."""

    def __init__(self, client: Client, connection: Connection, uid: str) -> None:
        self.uid = uid
        self._client, self._connection = client, connection
        self._ended: JobStatus | None = None

    def __repr__(self) -> str:
        return f"Job({self.uid!r})"

    def status(self, wait_seconds: float = 0) -> JobStatus:
        """Ask where the job stands; a job that has ended is not asked for again.

        Args:
            wait_seconds: how long the service may hold its answer back, until the job ends.

        Raises:
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        if self._ended is not None:
            return self._ended
        try:
            status = JobStatus.from_detail(self._client.details(self.uid, wait_seconds))
        except (LookupError, TypeError):
            raise TransportError(str(self._connection.url), "the answer has no details of the task") from None
        if status.ended:
            self._ended = status
        return status

    def wait(
        self, *, timeout_seconds: float = 300, on_status: Callable[[JobStatus], None] | None = None
    ) -> JobStatus:
        """Wait until the job has finished: in the service, if it can; else by polls, every 0.2 s to every 2 s.

        Args:
            timeout_seconds: how long to wait.
            on_status: called with every answer, the last one included.

        Raises:
            JobFailed: the service could not do it.
            JobTimeout: it had not ended in time; it goes on.
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        asked_at, pause = time.monotonic(), FIRST_POLL_SECONDS
        ends_at, wait_seconds = asked_at + timeout_seconds, 0.0
        while True:
            status = self.status(wait_seconds)
            if on_status is not None:
                on_status(status)
            if status.state == "Error":
                raise JobFailed(self.uid, status.error_code, status.error_message)
            if status.ended:
                return status
            answered_at = time.monotonic()
            if answered_at >= ends_at:
                raise JobTimeout(self.uid, timeout_seconds, status.state)
            if wait_seconds and answered_at - asked_at < FIRST_POLL_SECONDS:  # the service does not wait
                self._connection.sleep(min(pause, ends_at - answered_at))
                pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
            asked_at = time.monotonic()
            wait_seconds = ends_at - asked_at

    def result(self) -> bytes:
        """The PNG, waited for as `wait` does by default.

        Raises:
            JobFailed: the service could not do it.
            JobTimeout: it had not ended in time.
            ServiceError: the service refused.
            TransportError: no usable answer came.
        """
        status = self.wait()
        if not status.result_urls or not status.result_urls[0]:
            raise JobFailed(self.uid, status.error_code, "it finished without a result")
        return self._connection.download(status.result_urls[0])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to a file that appears whole or not at all; returns its path.

        Raises:
            JobFailed, JobTimeout, ServiceError, TransportError: as `result`.
            OSError: the file cannot be written.
        """
        target = Path(path)
        write_whole(target, self.result())
        return target
