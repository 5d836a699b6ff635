"""What is sent again, how soon, and what the caller learns when it does not help."""

from __future__ import annotations

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
        return Client(
            url,
            "public",
            "private-key-text",
            retries=retries or Retries(),
            transport=httpx.MockTransport(self.handle),
            sleep=self.pauses_seconds.append,
        )


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_fault_is_met_with_the_very_same_request(status: int) -> None:
    script = Script([httpx.Response(status, json=BUSY), httpx.Response(200, json=OK)])
    with script.client() as client:
        assert client.call("GetCreditBalance")["TotalCredits"] == 7
    assert len(script.bodies) == 2
    assert script.bodies[0] == script.bodies[1]


def test_a_broken_connection_is_met_with_the_very_same_request() -> None:
    script = Script([httpx.ConnectError("refused"), httpx.ReadTimeout("late"), httpx.Response(200, json=OK)])
    with script.client() as client:
        client.call("GetCreditBalance")
    assert len(set(script.bodies)) == 1


def test_requests_of_their_own_have_ids_of_their_own() -> None:
    script = Script([httpx.Response(200, json=OK), httpx.Response(200, json=OK)])
    with script.client() as client:
        client.call("GetCreditBalance")
        client.call("GetCreditBalance")
    assert len(set(script.bodies)) == 2


def test_pauses_grow() -> None:
    script = Script([httpx.ConnectError("refused")] * 5)
    with script.client() as client, pytest.raises(TransportError, match="refused"):
        client.call("GetCreditBalance")
    assert len(script.bodies) == 5
    for pause, planned in zip(script.pauses_seconds, (0.25, 0.5, 1, 2), strict=True):
        assert 0.74 * planned < pause < 1.26 * planned


def test_retry_after_is_kept() -> None:
    busy = httpx.Response(503, json=BUSY, headers={"Retry-After": "7"})
    script = Script([busy, httpx.Response(200, json=OK)])
    with script.client() as client:
        client.call("GetCreditBalance")
    assert script.pauses_seconds == [7]


def test_a_retry_after_beyond_patience_is_reported_at_once() -> None:
    script = Script([httpx.Response(429, json=BUSY, headers={"Retry-After": "3600"})])
    with script.client() as client, pytest.raises(ServiceError) as caught:
        client.call("GetCreditBalance")
    assert (caught.value.ret_code, script.pauses_seconds) == (153, [])


def test_the_last_refusal_is_the_services_own() -> None:
    script = Script([httpx.Response(503, json=BUSY)] * 2)
    with script.client(Retries(attempts=2)) as client, pytest.raises(ServiceError, match="Request throttled"):
        client.call("GetCreditBalance")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="<html>"),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={"error": "no"}),
        httpx.Response(301, headers={"Location": "https://elsewhere.example"}),
    ],
    ids=["page", "list", "other", "moved"],
)
def test_another_protocols_answer_is_no_answer(answer: httpx.Response) -> None:
    script = Script([answer])
    with script.client() as client, pytest.raises(TransportError, match=r"service\.example"):
        client.call("GetCreditBalance")
    assert len(script.bodies) == 1


@pytest.mark.parametrize("url", ["service.example", "ftp://service.example", "http://", "http://a:b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Script([]).client(url=url)


def test_a_request_is_sent_at_least_once() -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retries(attempts=0)


def test_dates_are_understood_in_retry_after() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)

    def read(text: str) -> float | None:
        return retry_after_seconds(httpx.Response(503, headers={"Retry-After": text}))

    assert 15 < (read(soon) or 0) <= 20
    assert read("Mon, 01 Jan 2024 00:00:00 GMT") == 0
    assert read("soon") is None
    assert retry_after_seconds(httpx.Response(503)) is None


def test_private_keys_are_in_no_text_and_no_request() -> None:
    script = Script([httpx.Response(200, json=OK)])
    with script.client() as client:
        assert "private-key-text" not in repr(client)
        client.call("GetCreditBalance")
    assert b"private-key-text" not in script.bodies[0]


def test_too_many_requests_are_waited_out_whatever_the_status() -> None:
    script = Script([httpx.Response(200, json=BUSY, headers={"Retry-After": "2"}), httpx.Response(200, json=OK)])
    with script.client() as client:
        assert client.call("GetCreditBalance")["TotalCredits"] == 7
    assert script.pauses_seconds == [2]


@pytest.mark.parametrize("code", [130, 171, 230, 520, 2000])
def test_what_is_final_is_sent_once(code: int) -> None:
    script = Script([httpx.Response(200, json={"RetCode": code, "Message": "no"})])
    with script.client() as client, pytest.raises(ServiceError):
        client.call("GetCreditBalance")
    assert len(script.bodies) == 1


@pytest.mark.parametrize("fault", [httpx.UnsupportedProtocol("no"), untrusted()], ids=["protocol", "certificate"])
def test_a_fault_that_stays_is_met_once(fault: httpx.TransportError) -> None:
    script = Script([fault])
    with script.client() as client, pytest.raises(TransportError):
        client.call("GetCreditBalance")
    assert len(script.bodies) == 1


def test_repeats_end_when_their_time_is_over() -> None:
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    connection = Connection(
        service_url("http://service.example"), Retries(attempts=99, total_seconds=10), clock=lambda: now
    )
    script = Script([httpx.Response(503, json=BUSY, headers={"Retry-After": "3"})] * 99)
    with httpx.Client(transport=httpx.MockTransport(script.handle)) as http, pytest.raises(ServiceError):
        Driver(http, pause).run(connection.post("GetCreditBalance", b"{}"))
    assert (len(script.bodies), now) == (4, 9)
