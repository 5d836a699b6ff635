"""Streams of events that tell how tasks go on, on the real server."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cutgate.gateway.serving.app import PARTS
from cutgate.gateway.serving.server import GatewayServer
from cutgate.gateway.waiting import streams
from cutgate.jobs.errors import LedgerUnavailable, SourceUndecodable
from cutgate.jobs.ids import TaskUid, new_task_uid
from cutgate.jobs.record import AccountCaps, Phase
from tests.gateway.harness import ACCOUNT, PUBLIC_KEY, Harness, signed
from tests.gateway.on_loop import serving
from tests.jobs.build import new_task
from tests.ledgers import noted_calls
from tests.waiting import PATIENCE_SECONDS, eventually

SOON_SECONDS = 5.0
"""Far less than a stream lasts, far more than an event takes."""
EVENTS = {"Accept": "text/event-stream"}
NEVER_SECONDS = 600.0

pytestmark = pytest.mark.constants(streams, LOOK_SECONDS=0.1)


def wish(*uids: str, **fields: Any) -> dict[str, Any]:
    return signed({"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": list(uids), **fields})


class Stream:
    """An open stream. Its parts are read as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.lines = response.iter_lines()
        self.comments = 0

    def next(self) -> dict[str, Any] | None:
        """The next event's data; None at the end of the stream."""
        for line in self.lines:
            if line.startswith(":"):
                self.comments += 1
            elif line:
                assert line == "event: task"
                data = next(self.lines)
                assert next(self.lines) == ""
                found = json.loads(data.removeprefix("data: "))
                assert isinstance(found, dict)
                return found
        return None

    def rest(self) -> list[dict[str, Any]]:
        """All further events."""
        return list(iter(self.next, None))

    def until(self, **members: Any) -> dict[str, Any]:
        """The first further event with these members."""
        while (event := self.next()) is not None:
            if members.items() <= event.items():
                return event
        raise AssertionError(f"the stream ended without {members}")


class Service:
    """A gateway on the real server, and callers that listen."""

    def __init__(self, harness: Harness, address: str, server: GatewayServer, open_streams: ExitStack) -> None:
        self.harness, self.address, self.server = harness, address, server
        self._open = open_streams
        self.http = open_streams.enter_context(httpx.Client(timeout=SOON_SECONDS * 4, trust_env=False))

    def post(self, body: dict[str, Any]) -> httpx.Response:
        return self.http.post(f"http://{self.address}/", json=body, headers=EVENTS)

    def listen(self, *uids: str, **fields: Any) -> Stream:
        asked = self.http.stream("POST", f"http://{self.address}/", json=wish(*uids, **fields), headers=EVENTS)
        response = self._open.enter_context(asked)
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        return Stream(response)

    def held(self) -> int:
        return len(self.harness.app.extensions[PARTS].waiting)


@contextmanager
def served(harness: Harness, **changes: Any) -> Iterator[Service]:
    with (
        serving(harness.app, **changes) as (address, server),
        ExitStack() as open_streams,
    ):
        yield Service(harness, address, server, open_streams)


@pytest.fixture
def service(gateway: Harness) -> Iterator[Service]:
    with served(gateway) as made:
        yield made


def test_it_tells_a_tasks_way_and_ends_with_it(service: Service, gateway: Harness) -> None:
    uid = gateway.submit()
    stream = service.listen(uid)
    entry = gateway.detail(uid)
    assert stream.next() == {**entry, "Status": "Queuing", "Place": 1}
    claim = gateway.claim()
    assert stream.next() == {**entry, "Status": "Running", "Phase": "reading"}
    for phase in (Phase.COMPUTING, Phase.WRITING):
        gateway.store.claims.renew(claim, phase)
        assert stream.next() == {**entry, "Status": "Running", "Phase": phase.value}
    gateway.finish(claim)
    last = stream.next()
    http = {"ImgList": [url.replace(service.address, "localhost") for url in (last or {})["ImgList"]]}
    assert {**(last or {}), **http} == gateway.detail(uid)
    assert stream.rest() == []
    assert stream.response.headers["X-UCLOUD-REQUEST-UUID"]
    assert stream.response.headers["Cache-Control"] == "no-store"
    assert "X-RateLimit-Remaining" in stream.response.headers


def test_of_several_tasks_it_tells_each_and_ends_with_the_last(service: Service, gateway: Harness) -> None:
    good, bad, batch = gateway.submit(), gateway.submit(), gateway.submit_batch(2)
    stream = service.listen(batch, bad, good, bad)
    assert {(event or {})["TaskUID"]: (event or {})["Place"] for event in (stream.next() for _ in range(3))} == {
        good: 1,
        bad: 2,
        batch: 3,
    }
    gateway.finish_one()
    assert stream.until(TaskUID=good, Status="Finished")["ConsumeApiPoint"] == 1
    gateway.fail_one(SourceUndecodable("damaged").facts())
    failed = stream.until(TaskUID=bad, Status="Error")
    assert (failed["ErrorCode"], failed["ImgList"]) == (1001, [])
    assert "Place" not in failed
    gateway.finish_one()
    assert stream.until(TaskUID=batch, Status="Running", Phase=None)["ConsumeApiPoint"] == 1
    gateway.finish_one()
    assert [event["Status"] for event in stream.rest()][-1] == "Finished"


def test_places_move_on(service: Service, gateway: Harness) -> None:
    gateway.submit()
    uid = gateway.submit()
    stream = service.listen(uid)
    stream.until(Place=2)
    gateway.claim()
    stream.until(Place=1)


@pytest.mark.constants(streams, LOOK_SECONDS=NEVER_SECONDS)
def test_an_end_is_told_at_once(service: Service, gateway: Harness) -> None:
    uid = gateway.submit()
    stream = service.listen(uid)
    stream.until(Place=1)
    gateway.finish_one()
    started = time.monotonic()
    assert [event["Status"] for event in stream.rest()] == ["Finished"]
    assert time.monotonic() - started < SOON_SECONDS


def test_what_has_ended_is_told_once(service: Service, gateway: Harness) -> None:
    uid = gateway.submit()
    gateway.finish_one()
    assert [event["Status"] for event in service.listen(uid).rest()] == ["Finished"]


def test_a_terminated_task_ends_it(service: Service, gateway: Harness) -> None:
    uid = gateway.submit()
    stream = service.listen(uid)
    stream.until(Place=1)
    gateway.call("TerminateTask", TaskUID=uid)
    assert [(event["Status"], event["ErrorCode"]) for event in stream.rest()] == [("Error", 1002)]


def test_it_lasts_as_long_as_is_asked_for(service: Service, gateway: Harness) -> None:
    uid = gateway.submit()
    started = time.monotonic()
    assert [event["Status"] for event in service.listen(uid, WaitSeconds=1).rest()] == ["Queuing"]
    assert 1 <= time.monotonic() - started < SOON_SECONDS


@pytest.mark.constants(streams, KEEP_ALIVE_SECONDS=0.2)
def test_while_nothing_happens_comments_keep_it_alive(service: Service, gateway: Harness) -> None:
    stream = service.listen(gateway.submit(), WaitSeconds=1)
    assert len(stream.rest()) == 1
    assert stream.comments >= 2


class TestJson:
    """What is answered at once, as without the header."""

    def test_an_unknown_or_foreign_task(self, service: Service, gateway: Harness) -> None:
        own, foreign = gateway.submit(), gateway.submit_for(gateway.add_pair("other"))
        for uid in (new_task_uid(), foreign):
            answer = service.post(wish(own, uid)).json()
            assert answer["RetCode"] == 0
            assert [entry["ErrorCode"] for entry in answer["TaskDetailList"]] == [0, 230]
        assert service.held() == 0

    def test_a_wrong_signature(self, service: Service) -> None:
        assert service.post(wish(new_task_uid()) | {"Signature": "0" * 40}).json()["RetCode"] == 171

    def test_too_many_requests(self, gateway: Harness) -> None:
        with served(gateway.with_settings(polls_per_second=1, account_queue_cap=1)) as service:
            uid = service.harness.submit()
            service.harness.finish_one()
            answers = [service.post(wish(uid)) for _ in range(5)]
        assert answers[0].headers["Content-Type"].startswith("text/event-stream")
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["RetCode"] == 153

    def test_who_does_not_ask_for_events_gets_none(self, service: Service, gateway: Harness) -> None:
        for accept in ("*/*", "application/json"):
            answer = service.http.post(
                f"http://{service.address}/", json=wish(gateway.submit()), headers={"Accept": accept}
            )
            assert answer.json()["RetCode"] == 0


class TestPlaces:
    """Streams take the places of callers that wait."""

    def test_half_are_there_for_an_account_and_who_leaves_frees_one(self, gateway: Harness) -> None:
        with served(gateway.with_settings(held_callers=4)) as service:
            uid = service.harness.submit()
            first, second = service.listen(uid), service.listen(uid)
            second.until(Place=1)
            answer = service.post(wish(uid, WaitSeconds=20))
            assert answer.elapsed.total_seconds() < SOON_SECONDS
            assert [entry["Status"] for entry in answer.json()["TaskDetailList"]] == ["Queuing"]
            assert "Place" not in answer.json()["TaskDetailList"][0]
            first.response.close()
            eventually(lambda: service.held() == 1, SOON_SECONDS)
            service.listen(uid).until(Place=1)

    @pytest.mark.parametrize("at_once", [False, True], ids=["in order", "killed"])
    def test_whoever_hangs_up_leaves_at_once(self, service: Service, gateway: Harness, *, at_once: bool) -> None:
        body = json.dumps(wish(gateway.submit())).encode()
        head = f"POST / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        host, _, port = service.address.partition(":")
        with socket.create_connection((host, int(port))) as caller:
            caller.sendall(head.encode() + body)
            eventually(lambda: b"Queuing" in caller.recv(2**16))
            assert service.held() == 1
            if at_once:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: service.held() == 0, SOON_SECONDS)

    def test_whoever_does_not_read_is_cut_off(self, gateway: Harness) -> None:
        strict = gateway.with_settings(account_queue_cap=2_000, head_seconds=0.5, transfer_seconds=1)
        with served(strict) as service:
            uids = [new_task(account=ACCOUNT) for _ in range(1_000)]
            for task in uids:
                gateway.store.tasks.create(replace(task, caps=AccountCaps(queue=2_000)))
            body = json.dumps(wish(*(task.uid for task in uids))).encode()
            head = (
                f"POST / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            with socket.socket() as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                host, _, port = service.address.partition(":")
                caller.connect((host, int(port)))
                caller.sendall(head.encode() + body)
                eventually(lambda: service.held() == 1, SOON_SECONDS)
                # Each claim moves all other tasks: more events than the system's buffers hold.
                eventually(lambda: gateway.claim() and service.held() == 0, 4 * SOON_SECONDS)

    def test_they_hold_no_thread_and_share_one_read(
        self, gateway: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with served(gateway.with_settings(request_threads=2, held_callers=100)) as service:
            uids = [service.harness.submit() for _ in range(20)]
            callers = [service.listen(uid) for uid in uids]
            for number, caller in enumerate(callers, 1):
                assert (caller.next() or {})["Place"] == number
            monkeypatch.setattr(streams, "LOOK_SECONDS", 0.5)
            time.sleep(0.5)
            calls = noted_calls(monkeypatch)
            time.sleep(2)
            looks = calls.count("progress")
            assert 1 <= looks <= 10, "of 20 streams, about four looks each"
            for _ in uids:
                service.harness.finish_one()
            assert all(caller.rest()[-1]["Status"] == "Finished" for caller in callers)
            assert service.held() == 0


def test_a_gateway_that_is_told_to_stop_ends_them_soon(gateway: Harness) -> None:
    with served(gateway, shutdown_seconds=60) as service:
        stream = service.listen(gateway.submit())
        stream.until(Place=1)
        service.server.should_exit = True
        started = time.monotonic()
        assert stream.rest() == []
    assert time.monotonic() - started < SOON_SECONDS, "the server has stopped"


def test_a_ledger_that_is_away_for_a_while_does_not_end_them(
    service: Service, gateway: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = gateway.submit()
    stream = service.listen(uid)
    stream.until(Place=1)
    looks: list[object] = []
    real = type(gateway.store.tasks).progress

    def away(self: Any, uids: list[TaskUid]) -> object:
        looks.append(uids)
        if len(looks) < 4:
            raise LedgerUnavailable("away")
        return real(self, uids)

    monkeypatch.setattr(type(gateway.store.tasks), "progress", away)
    eventually(lambda: len(looks) > 4, PATIENCE_SECONDS)
    gateway.finish_one()
    assert stream.rest()[-1]["Status"] == "Finished"


def test_a_record_that_cannot_be_read_is_in_nobodys_way(
    service: Service, gateway: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = gateway.submit(), gateway.submit()
    real = type(gateway.store.tasks).progress

    def read(self: Any, uids: list[TaskUid]) -> object:
        if broken in uids:
            raise ValueError("the record of a later version")
        return real(self, uids)

    monkeypatch.setattr(type(gateway.store.tasks), "progress", read)
    assert service.listen(broken, good).until(TaskUID=good)["Place"] == 2
