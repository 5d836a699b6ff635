"""Requests to one service over HTTP: what is repeated, how long to wait, what counts as an answer."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx

from keycut.errors import ServiceError, TransportError

PASSING: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses of faults that pass, so that a repeat is worth it."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_jitter = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how soon a request that met a passing fault is sent again."""

    attempts: int = 5
    """How often a request is sent altogether."""
    first_delay_seconds: float = 0.25
    """Pause before the second attempt; each further one is twice as long, give or take a quarter."""
    longest_delay_seconds: float = 30
    """A `Retry-After` above this is not waited for: the fault is reported."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, it is {self.attempts}")

    def delay_seconds(self, attempt: int, response: httpx.Response | None) -> float:
        """The pause after attempt number `attempt`, counted from 1: what the service asks for, or our own."""
        asked = None if response is None else retry_after_seconds(response)
        if asked is not None:
            return asked
        own = math.ldexp(self.first_delay_seconds * _jitter.uniform(0.75, 1.25), attempt - 1)
        return min(own, self.longest_delay_seconds)


DEFAULT_RETRIES: Final = Retries()


def retry_after_seconds(response: httpx.Response) -> float | None:
    """`Retry-After` as seconds from now, whether it came as seconds or as a date; None without a usable one."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


class Connection:
    """Keeps connections to one service open and repeats what met a passing fault.

    Args:
        url: address of the service, `http://` or `https://`.
        timeout_seconds: longest silence on a connection.
        retries: how a passing fault is met.
        transport: what carries the requests in place of the network.
        sleep: how to pause, in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        retries: Retries,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        try:
            self.url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"url {url!r} is not an address: {error}") from None
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise ValueError(f"url must start with http:// or https:// and name a host, it is {url!r}")
        self.sleep = sleep
        self._retries = retries
        # A proxy that the environment names stands between this machine and others, not between it and itself.
        self._http = httpx.Client(
            timeout=timeout_seconds, transport=transport, trust_env=self.url.host not in LOOPBACK
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, action: str, body: bytes) -> dict[str, Any]:
        """Send a signed body and return the answer of a success.

        Raises:
            ServiceError: the service refused.
            TransportError: no answer of PICPIK's protocol came.
        """
        headers = {"Content-Type": "application/json"}
        response = self._send(lambda: self._http.post(self.url, content=body, headers=headers), str(self.url))
        try:
            answer = response.json()
            ret_code, message = answer["RetCode"], str(answer.get("Message", ""))
        except (ValueError, TypeError, LookupError, AttributeError):
            reason = f"HTTP {response.status_code} with a body that is not PICPIK's"
            raise TransportError(str(self.url), reason) from None
        if ret_code != 0:
            raise ServiceError(ret_code, message, action, str(answer.get("Detail") or ""))
        return dict(answer)

    def download(self, url: str) -> bytes:
        """Fetch a result; `url` may be relative to the service's address.

        Raises:
            TransportError: it cannot be had.
        """
        target = self.url.join(url)
        # A result's address is its own permission, so an error names the place without the path.
        place = f"{target.scheme}://{target.netloc.decode('ascii')}"
        response = self._send(lambda: self._http.get(target), place)
        if response.status_code != HTTPStatus.OK:
            raise TransportError(place, f"HTTP {response.status_code} for the result")
        return response.content

    def _send(self, send: Callable[[], httpx.Response], place: str) -> httpx.Response:
        for attempt in range(1, self._retries.attempts + 1):
            response, reason = None, ""
            try:
                response = send()
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            if response is not None and response.status_code not in PASSING:
                return response
            delay_seconds = self._retries.delay_seconds(attempt, response)
            if attempt == self._retries.attempts or delay_seconds > self._retries.longest_delay_seconds:
                break
            self.sleep(delay_seconds)
        if response is not None:
            return response
        raise TransportError(place, reason)
