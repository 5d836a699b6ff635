"""Requests to one service over HTTP: what is repeated, how long to wait, what counts as an answer."""

import math
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar

import httpx

from cutgate.errors import CutgateError, ServiceError, TransportError
from cutgate.protocol.flows import EVENT_STREAM, Exchange, Flow, Pause, is_events

PASSING: Final = frozenset({429, 502, 503, 504})
"""Statuses of faults that pass, so that a repeat is worth it."""

PASSING_CODE: Final = 153
"""Too many requests; some services say so with HTTP 200."""
LAST_FINAL_CODE: Final = 2000
"""Of the family's codes those above pass."""

PASSING_FAULTS: Final = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError, httpx.ProxyError)
SUBJECT_HEADER: Final = "Cutgate-Subject"
SUBJECTS: Final = {"found": True, "none": False}
"""What that header of a result says; other services have none."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_DOUBLINGS: Final = 60
T = TypeVar("T")
_jitter = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, how soon and for how long a request that met a passing fault is sent again."""

    attempts: int = 5
    """How often a request is sent altogether; more often where the service says when to come again."""
    first_delay_seconds: float = 0.25
    """Pause before the second attempt; each further one is twice as long, give or take a quarter."""
    longest_delay_seconds: float = 30
    """A `Retry-After` above this is not waited for: the fault is reported."""
    total_seconds: float = 120
    """No attempt begins later than this after the first one."""
    on_refusal: Callable[[CutgateError, float], object] | None = field(default=None, repr=False)
    """Called before a request that was refused is sent again: what the service said, and the seconds left."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, it is {self.attempts}")

    def pause_seconds(self, attempt: int, elapsed_seconds: float, response: httpx.Response | None) -> float | None:
        """The pause before the next attempt: our own, or a longer one that the service asks for; None to give up.

        Attempts that the service has put off itself are not counted: they end with the time for all.
        """
        asked = None if response is None else retry_after_seconds(response)
        own = math.ldexp(self.first_delay_seconds * _jitter.uniform(0.75, 1.25), min(attempt, _DOUBLINGS) - 1)
        pause = max(asked or 0, min(own, self.longest_delay_seconds))
        in_time = pause <= self.longest_delay_seconds and elapsed_seconds + pause <= self.total_seconds
        return pause if in_time and (asked is not None or attempt < self.attempts) else None


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


def service_url(url: str) -> httpx.URL:
    """The address of a service."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"url {url!r} is not an address: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"url must start with http:// or https:// and name a host, it is {url!r}")
    return parsed


def uses_environment(url: httpx.URL) -> bool:
    """Whether a proxy that the environment names counts: it stands between this machine and others only."""
    return url.host not in LOOPBACK


class Download(NamedTuple):
    """A result as it was delivered."""

    content: bytes
    subject_found: bool | None
    """Whether it shows a subject; None where the service does not say."""
    confidence: float | None = None
    """How likely it is right, 0 to 1; None where nobody says."""


class Connection:
    """Sends requests to one service, and repeats those that met a passing fault."""

    def __init__(self, url: httpx.URL, retries: Retries, clock: Callable[[], float]) -> None:
        self.url, self.clock = url, clock
        self._retries = retries

    def post(self, action: str, body: bytes) -> Flow[Mapping[str, Any]]:
        """Send a signed body and return the answer of a success."""
        exchange = Exchange("POST", self.url, body, {"Content-Type": "application/json"})
        return (yield from self._send(exchange, str(self.url), partial(self._read, action)))

    def listen(self, action: str, body: bytes) -> Flow[httpx.Response | Mapping[str, Any]]:
        """As `post`, unless the answer is a stream of events: then that, unread."""
        headers = {"Content-Type": "application/json", "Accept": f"{EVENT_STREAM}, application/json;q=0.9"}
        exchange = Exchange("POST", self.url, body, headers, is_stream=True)

        def read(response: httpx.Response) -> httpx.Response | Mapping[str, Any]:
            return response if is_events(response) else self._read(action, response)

        return (yield from self._send(exchange, str(self.url), read))

    def _read(self, action: str, response: httpx.Response) -> Mapping[str, Any]:
        """The answer of a success."""
        answer = _answer(response)
        if answer is None:
            reason = f"HTTP {response.status_code} with a body that is not PICPIK's"
            raise TransportError(str(self.url), reason, passing=_is_passing(response))
        if answer["RetCode"] != 0:
            detail = str(answer.get("Detail") or "")
            raise ServiceError(answer["RetCode"], str(answer.get("Message", "")), action, detail)
        return answer

    def download(self, url: str) -> Flow[Download]:
        """Fetch a result; `url` may be relative to the service's address."""
        target = self.url.join(url)
        # A result's address is its own permission, so an error names the place without the path.
        place = f"{target.scheme}://{target.netloc.decode('ascii')}"

        def read(response: httpx.Response) -> Download:
            if response.status_code != HTTPStatus.OK:
                reason = f"HTTP {response.status_code} for the result"
                raise TransportError(place, reason, passing=_is_passing(response))
            return Download(response.content, SUBJECTS.get(response.headers.get(SUBJECT_HEADER, "")))

        return (yield from self._send(Exchange("GET", target), place, read))

    def _send(self, exchange: Exchange, place: str, read: Callable[[httpx.Response], T]) -> Flow[T]:
        started = self.clock()
        for attempt in count(1):
            error: ServiceError | TransportError
            response: httpx.Response | None = None
            try:
                response = yield exchange
                return read(response)
            except httpx.TransportError as fault:
                passing = _passes(fault)
                error = TransportError(place, str(fault) or type(fault).__name__, passing=passing)
            except (ServiceError, TransportError) as refusal:
                passing = response is not None and _is_passing(response)
                error = refusal
            elapsed_seconds = self.clock() - started
            pause = self._retries.pause_seconds(attempt, elapsed_seconds, response) if passing else None
            if pause is None:
                raise error
            if response is not None and self._retries.on_refusal is not None:
                self._retries.on_refusal(error, self._retries.total_seconds - elapsed_seconds)
            yield Pause(pause)
        raise AssertionError("counting has no end")


def _answer(response: httpx.Response) -> Mapping[str, Any] | None:
    """The members of an answer of the protocol; None when it is something else."""
    if response.request.method != "POST":
        return None
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("RetCode"), int) else None


def _is_passing(response: httpx.Response) -> bool:
    if response.status_code in PASSING:
        return True
    answer = _answer(response) if response.status_code == HTTPStatus.OK else None
    return answer is not None and (answer["RetCode"] == PASSING_CODE or answer["RetCode"] > LAST_FINAL_CODE)


def _passes(error: httpx.TransportError) -> bool:
    """Whether a repeat may do better; a certificate that does not hold stays as it is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return False
        cause = cause.__cause__ or cause.__context__
    return isinstance(error, PASSING_FAULTS)
