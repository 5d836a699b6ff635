"""Callbacks and uploads: what is sent, how it is signed, and how long it is tried."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import replace

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from cutgate.courier.connection import Deadline
from cutgate.courier.errors import TooSlow
from cutgate.jobs.record import Delivery, DeliveryKind, Task, TaskStatus
from tests.courier.outside import OutsideServer, Visit
from tests.courier.parts import ACCOUNT, RESULT, CourierParts, make_fetcher
from tests.jobs.build import ERROR, claim_next, new_task

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def callback(server: OutsideServer, path: str = "/hook?key=s%2Bcret") -> Delivery:
    return Delivery(kind=DeliveryKind.CALLBACK, url=server.url(path))


def upload(server: OutsideServer) -> Delivery:
    return Delivery(kind=DeliveryKind.UPLOAD, url=server.url("/put?key=secret"))


def confirm(visit: Visit) -> None:
    visit.answer(204)


def refuse(visit: Visit) -> None:
    visit.answer(500)


def test_a_callback_is_posted_as_the_facade_renders_it(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/hook": confirm}
    uid = parts.ended(callback(server))
    parts.runner().run(parts.take())
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/hook?key=s%2Bcret")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"task": uid, "status": "finished", "text": "Ä"}
    assert request.headers["webhook-id"] == uid
    assert "webhook-signature" not in request.headers
    assert parts.nothing_is_due()


def test_a_callback_is_signed_where_the_account_has_a_secret(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/hook": confirm}
    parts.secrets[ACCOUNT] = SECRET
    uid = parts.ended(callback(server))
    parts.runner().run(parts.take())
    [request] = server.requests
    assert Webhook(SECRET).verify(request.body, request.headers)["task"] == uid
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(bytes(32)).decode()).verify(request.body, request.headers)


def test_it_is_sent_again_after_a_fault_and_then_confirmed(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/hook": refuse}
    parts.secrets[ACCOUNT] = SECRET
    uid = parts.ended(callback(server))
    parts.runner().run(parts.take())
    assert parts.nothing_is_due(within_seconds=5)
    server.scripts = {"/hook": confirm}
    parts.clock.advance(5)
    parts.runner().run(parts.take())
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == uid
    Webhook(SECRET).verify(second.body, second.headers)
    assert parts.nothing_is_due()
    assert parts.task(uid).status is TaskStatus.FINISHED


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
def test_whatever_is_no_confirmation_is_tried_again(
    parts: CourierParts, server: OutsideServer, status: int
) -> None:
    def script(visit: Visit) -> None:
        visit.answer(status, headers={"Location": "/elsewhere"})

    server.scripts = {"/hook": script}
    parts.ended(callback(server))
    parts.runner().run(parts.take())
    assert len(server.requests) == 1
    assert not parts.nothing_is_due()


def test_it_is_given_up_after_an_hour(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/hook": refuse}
    uid = parts.ended(callback(server))
    waited_seconds = 0.0
    with capture_logs() as events:
        for _ in range(50):
            parts.runner().run(parts.take())
            if events[-1]["event"] == "delivery_given_up":
                break
            pause_seconds = events[-1]["pause_seconds"]
            waited_seconds += pause_seconds
            parts.clock.advance(pause_seconds + 0.001)
    assert waited_seconds == pytest.approx(3_600, abs=30)  # the tries themselves take time, too
    assert len(server.requests) == 12
    assert parts.nothing_is_due()
    assert parts.task(uid).status is TaskStatus.FINISHED
    assert "cret" not in str(events)


def test_an_address_that_may_not_be_called_is_given_up_at_once(parts: CourierParts, server: OutsideServer) -> None:
    parts.ended(
        Delivery(kind=DeliveryKind.CALLBACK, url=f"http://10.0.0.1:{server.port}/hook?secret"),
        Delivery(kind=DeliveryKind.UPLOAD, url="ftp://example.com/secret"),
    )
    with capture_logs() as events:
        parts.runner().run(parts.take())
        parts.runner().run(parts.take())
    assert sorted(event["reason"] for event in events) == ["address", "url"]
    assert {event["event"] for event in events} == {"delivery_given_up"}
    assert parts.nothing_is_due()
    assert "secret" not in str(events)


def test_an_unreachable_callback_fails_no_task(parts: CourierParts, server: OutsideServer) -> None:
    uid = parts.ended(Delivery(kind=DeliveryKind.CALLBACK, url="http://127.0.0.1:9/"))
    parts.runner().run(parts.take())
    assert parts.task(uid).status is TaskStatus.FINISHED


def test_a_failed_task_is_told_too(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/hook": confirm}
    task = new_task(account=ACCOUNT)
    parts.store.create(replace(task, deliveries=(callback(server), upload(server))))
    parts.store.fail(claim_next(parts.store), ERROR)
    parts.runner().run(parts.take())
    parts.runner().run(parts.take())
    [request] = server.requests  # there is no result to upload
    assert json.loads(request.body)["status"] == "error"
    assert parts.nothing_is_due()


def test_a_result_is_put_with_its_media_type(parts: CourierParts, server: OutsideServer) -> None:
    server.scripts = {"/put": refuse}
    parts.ended(upload(server))
    parts.runner().run(parts.take())
    server.scripts = {"/put": confirm}
    parts.clock.advance(10)
    parts.runner().run(parts.take())
    for request in server.requests:
        assert (request.method, request.path, request.body) == ("PUT", "/put?key=secret", RESULT)
        assert request.headers["content-type"] == "image/png"
        assert request.headers["content-length"] == str(len(RESULT))
        assert "transfer-encoding" not in request.headers
    assert len(server.requests) == 2
    assert parts.nothing_is_due()


@pytest.mark.parametrize("kind", DeliveryKind)
def test_what_retention_took_is_not_delivered(
    parts: CourierParts, server: OutsideServer, kind: DeliveryKind
) -> None:
    uid = parts.ended(Delivery(kind=kind, url=server.url("/hook")))
    errand = parts.take()
    parts.clock.advance(parts.settings.retention_seconds + 1)
    assert uid in parts.store.hide_expired()
    parts.runner().run(errand)
    assert server.requests == []


def test_an_upload_whose_blob_is_gone_ends(parts: CourierParts, server: OutsideServer) -> None:
    uid = parts.ended(upload(server))
    parts.blobs.delete_task(uid)
    parts.runner().run(parts.take())
    assert server.requests == []
    assert parts.nothing_is_due()


def test_a_task_that_no_facade_renders_is_given_up(parts: CourierParts, server: OutsideServer) -> None:
    parts.ended(callback(server), origin="of a facade that is gone")
    with capture_logs() as events:
        parts.runner().run(parts.take())
    assert [event["event"] for event in events] == ["callback_without_renderer"]
    assert parts.nothing_is_due()


def test_a_renderer_that_breaks_ends_its_callback(parts: CourierParts, server: OutsideServer) -> None:
    def broken(task: Task) -> bytes:
        raise LookupError(task.uid)

    parts.ended(callback(server), origin="broken")
    with capture_logs() as events:
        parts.runner(broken=broken).run(parts.take())
    assert [event["event"] for event in events] == ["errand_failed"]
    assert parts.nothing_is_due()
    assert server.requests == []


def test_a_receiver_that_does_not_read_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        outside = make_fetcher([port], ["127.0.0.1"], read_seconds=0.2).outside
        sending = outside.exchange(
            "PUT", f"http://127.0.0.1:{port}/", Deadline(2), headers={}, content=bytes(2**26)
        )
        with pytest.raises(TooSlow), sending:
            pass
