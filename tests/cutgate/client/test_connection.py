"""What is sent again, how soon, and what the caller learns when it does not help."""

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from cutgate import Client, Retries, ServiceError, TransportError
from cutgate.protocol.connection import Connection, retry_after_seconds, service_url
from cutgate.protocol.flows import Driver

OK = {"RetCode": 0, "Action": "GetCreditBalance", "Message": "", "TotalCredits": 7, "UsedCredits": 0}
BUSY = {"RetCode": 153, "Action": "GetCreditBalance", "Message": "Request throttled"}
Answer = httpx.Response | Exception


def untrusted() -> httpx.ConnectError:
    """What httpx raises over a certificate that nobody vouches for."""
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    return error


class Script:
    """A transport that gives the prepared answers one by one and remembers what it was sent."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = iter(answers)
        self.bodies: list[bytes] = []
        self.pauses_seconds: list[float] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, retries: Retries | None = None, url: str = "http://service.example") -> Client:
        transport, sleep = httpx.MockTransport(self.handle), self.pauses_seconds.append
        keys = "public", "private-key-text"
        return Client(url, *keys, retries=retries or Retries(), transport=transport, sleep=sleep)

    def balance(self, retries: Retries | None = None) -> int:
        with self.client(retries) as client:
            return int(client.call("GetCreditBalance")["TotalCredits"])


def ok() -> httpx.Response:
    return httpx.Response(200, json=OK)


def busy(status: int, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=BUSY, headers=names)


@pytest.mark.parametrize(
    "faults",
    [
        *([busy(status)] for status in (429, 502, 503, 504)),
        [httpx.ConnectError("refused"), httpx.ReadTimeout("late")],
    ],
    ids=str,
)
def test_a_passing_fault_is_met_with_the_very_same_request(faults: list[Answer]) -> None:
    script = Script([*faults, ok()])
    assert script.balance() == 7
    assert script.bodies == script.bodies[:1] * (len(faults) + 1)


def test_requests_of_their_own_have_ids_of_their_own() -> None:
    script = Script([ok(), ok()])
    assert script.balance() == script.balance()
    assert len(set(script.bodies)) == 2


def test_pauses_grow() -> None:
    script = Script([httpx.ConnectError("refused")] * 5)
    with pytest.raises(TransportError, match="refused"):
        script.balance()
    for pause, planned in zip(script.pauses_seconds, (0.25, 0.5, 1, 2), strict=True):
        assert 0.74 * planned < pause < 1.26 * planned


@pytest.mark.parametrize("status", [503, 200])
def test_retry_after_is_kept_whatever_the_status(status: int) -> None:
    script = Script([busy(status, Retry_After="7"), ok()])
    assert (script.balance(), script.pauses_seconds) == (7, [7])


def test_a_retry_after_beyond_patience_is_reported_at_once() -> None:
    script = Script([busy(429, Retry_After="3600")])
    with pytest.raises(ServiceError) as caught:
        script.balance()
    assert (caught.value.ret_code, script.pauses_seconds) == (153, [])


def test_the_last_refusal_is_the_services_own() -> None:
    with pytest.raises(ServiceError, match="Request throttled"):
        Script([busy(503)] * 2).balance(Retries(attempts=2))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx.Response(500, text="<html>"), TransportError, r"service\.example"),
        (httpx.Response(200, json=[1]), TransportError, r"service\.example"),
        (httpx.Response(200, json={"error": "no"}), TransportError, r"service\.example"),
        (httpx.Response(301, headers={"Location": "//elsewhere.example"}), TransportError, r"service\.example"),
        *(
            (httpx.Response(200, json={"RetCode": code, "Message": "no"}), ServiceError, "no")
            for code in (130, 171, 230, 520, 2000)
        ),
        (httpx.UnsupportedProtocol("no"), TransportError, "no"),
        (untrusted(), TransportError, "certificate"),
    ],
)
def test_what_is_final_or_no_answer_at_all_is_met_once(answer: Answer, error: type[Exception], said: str) -> None:
    script = Script([answer])
    with pytest.raises(error, match=said):
        script.balance()
    assert len(script.bodies) == 1


@pytest.mark.parametrize("url", ["service.example", "ftp://service.example", "http://", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Script([]).client(url=url)


def test_a_request_is_sent_at_least_once() -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retries(attempts=0)


def test_refusals_that_pass_are_told_to_whoever_asks_and_faults_of_the_network_are_not() -> None:
    told: list[tuple[object, float]] = []
    script = Script([httpx.ConnectError("refused"), busy(503), busy(429, Retry_After="2"), busy(429)])
    retries = Retries(attempts=4, on_refusal=lambda error, seconds: told.append((error, seconds)))
    with pytest.raises(ServiceError, match="Request throttled"):
        script.balance(retries)
    assert [(type(error), getattr(error, "ret_code", 0)) for error, _ in told] == [(ServiceError, 153)] * 2
    assert all(0 < seconds <= retries.total_seconds for _, seconds in told)


def test_dates_are_understood_in_retry_after() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)

    def read(text: str) -> float | None:
        return retry_after_seconds(httpx.Response(503, headers={"Retry-After": text}))

    assert 15 < (read(soon) or 0) <= 20
    assert read("Mon, 01 Jan 2024 00:00:00 GMT") == 0
    assert read("soon") is None
    assert retry_after_seconds(httpx.Response(503)) is None


def test_private_keys_are_in_no_text_and_no_request() -> None:
    script = Script([ok()])
    assert "private-key-text" not in repr(script.client())
    script.balance()
    assert b"private-key-text" not in script.bodies[0]


def test_repeats_end_when_their_time_is_over() -> None:
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    connection = Connection(
        service_url("http://service.example"), Retries(attempts=99, total_seconds=10), clock=lambda: now
    )
    script = Script([busy(503, Retry_After="3")] * 99)
    with httpx.Client(transport=httpx.MockTransport(script.handle)) as http, pytest.raises(ServiceError):
        Driver(http, pause).run(connection.post("GetCreditBalance", b"{}"))
    assert (len(script.bodies), now) == (4, 9)
