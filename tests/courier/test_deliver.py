"""Callbacks and uploads: what is sent, how it is signed, and how long it is tried."""

import base64
import json
import socket

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from cutgate.courier.connection import Deadline
from cutgate.courier.errors import PeerFailed
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.record import Delivery, ErrandKind, Task, TaskStatus
from tests.courier.outside import Visit
from tests.courier.parts import ACCOUNT, RESULT, CourierParts, answering, confirm, make_fetcher
from tests.jobs.build import ERROR

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
REFUSE = answering(500)


def test_a_callback_is_posted_as_the_facade_renders_it(parts: CourierParts) -> None:
    uid = parts.ended(parts.callback(confirm))
    parts.run()
    [request] = parts.server.requests
    assert (request.method, request.path) == ("POST", "/hook?key=s%2Bcret")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"task": uid, "status": "finished", "text": "Ä"}
    assert request.headers["webhook-id"] == uid
    assert "webhook-signature" not in request.headers
    assert parts.nothing_is_due()


def test_the_end_after_a_retry_is_told_as_another_one(parts: CourierParts) -> None:
    """Receivers drop what they have seen by its id."""
    claim = parts.store.claimed(account=ACCOUNT, deliveries=(parts.callback(confirm),))
    assert parts.store.claims.fail(claim, BlobMissing("the picture is gone").facts())
    parts.run()
    assert parts.store.retry(claim.task, ACCOUNT) == 1
    assert parts.store.done(parts.store.next_claim())
    parts.run()
    told = [
        (request.headers["webhook-id"], json.loads(request.body)["status"]) for request in parts.server.requests
    ]
    assert told == [(claim.task, "error"), (f"{claim.task}-1", "finished")]


def test_where_the_account_has_a_secret_a_callback_is_signed_each_time_it_is_sent(parts: CourierParts) -> None:
    parts.secrets[ACCOUNT] = SECRET
    uid = parts.ended(parts.callback(REFUSE))
    parts.run()
    assert parts.nothing_is_due(within_seconds=5)
    parts.server.scripts["/hook"] = confirm
    parts.clock.advance(5)
    parts.run()
    first, second = parts.server.requests
    assert first.body == second.body
    for request in (first, second):
        assert request.headers["webhook-id"] == uid
        assert Webhook(SECRET).verify(request.body, request.headers)["task"] == uid
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.body + b" ", request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(base64.b64encode(bytes(32)).decode()).verify(request.body, request.headers)
    assert parts.nothing_is_due()
    assert parts.store.task(uid).status is TaskStatus.FINISHED


@pytest.mark.parametrize("status", [None, 301, 307, 400, 404, 410, 429, 500, 503])
def test_whatever_is_no_confirmation_is_tried_again(parts: CourierParts, status: int | None) -> None:
    def script(visit: Visit) -> None:
        if status is not None:  # else it hangs up
            visit.answer(status, headers={"Location": "/elsewhere"})

    parts.ended(parts.callback(script))
    parts.run()
    assert len(parts.server.requests) == 1
    assert not parts.nothing_is_due()


def test_it_is_given_up_after_an_hour(parts: CourierParts) -> None:
    uid = parts.ended(parts.callback(REFUSE))
    waited_seconds = 0.0
    with capture_logs() as events:
        for _ in range(50):
            parts.run()
            if events[-1]["event"] == "delivery_given_up":
                break
            pause_seconds = events[-1]["pause_seconds"]
            waited_seconds += pause_seconds
            parts.clock.advance(pause_seconds + 0.001)
    assert waited_seconds == pytest.approx(3_600, abs=30)  # the tries themselves take time, too
    assert len(parts.server.requests) == 12
    assert parts.nothing_is_due()
    assert parts.store.task(uid).status is TaskStatus.FINISHED
    assert "cret" not in str(events)


def test_an_address_that_may_not_be_called_is_given_up_at_once(parts: CourierParts) -> None:
    parts.ended(
        Delivery(kind=ErrandKind.CALLBACK, url=f"http://10.0.0.1:{parts.server.port}/hook?secret"),
        Delivery(kind=ErrandKind.UPLOAD, url="ftp://example.com/secret"),
    )
    with capture_logs() as events:
        parts.run()
        parts.run()
    assert sorted(event["reason"] for event in events) == ["address", "url"]
    assert {event["event"] for event in events} == {"delivery_given_up"}
    assert parts.nothing_is_due()
    assert "secret" not in str(events)


def test_a_failed_task_is_told_too(parts: CourierParts) -> None:
    claim = parts.store.claimed(deliveries=(parts.callback(confirm), parts.upload(confirm)))
    parts.store.claims.fail(claim, ERROR)
    parts.run()
    parts.run()
    [request] = parts.server.requests  # there is no result to upload
    assert json.loads(request.body)["status"] == "error"
    assert parts.nothing_is_due()


def test_a_result_is_put_with_its_media_type(parts: CourierParts) -> None:
    parts.ended(parts.upload(REFUSE))
    parts.run()
    parts.server.scripts["/put"] = confirm
    parts.clock.advance(10)
    parts.run()
    for request in parts.server.requests:
        assert (request.method, request.path, request.body) == ("PUT", "/put?key=secret", RESULT)
        assert request.headers["content-type"] == "image/png"
        assert request.headers["content-length"] == str(len(RESULT))
        assert "transfer-encoding" not in request.headers
    assert len(parts.server.requests) == 2
    assert parts.nothing_is_due()


@pytest.mark.parametrize("kind", [ErrandKind.CALLBACK, ErrandKind.UPLOAD])
def test_what_retention_took_is_not_delivered(parts: CourierParts, kind: ErrandKind) -> None:
    uid = parts.ended(Delivery(kind=kind, url=parts.server.url("/hook")))
    errand = parts.store.next_errand()
    parts.clock.advance(parts.settings.retention_seconds + 1)
    assert uid in parts.store.expired()
    parts.run(errand)
    assert parts.server.requests == []


def test_an_upload_whose_blob_is_gone_ends(parts: CourierParts) -> None:
    parts.blobs.delete_task(parts.ended(parts.upload(confirm)))
    parts.run()
    assert parts.server.requests == []
    assert parts.nothing_is_due()


@pytest.mark.parametrize(
    ("origin", "event"), [("of a facade that is gone", "callback_without_renderer"), ("broken", "errand_failed")]
)
def test_what_nobody_can_render_is_given_up(parts: CourierParts, origin: str, event: str) -> None:
    def broken(task: Task) -> bytes:
        raise LookupError(task.uid)

    parts.ended(parts.callback(confirm), origin=origin)
    with capture_logs() as events:
        parts.runner(broken=broken).run(parts.store.next_errand())
    assert [each["event"] for each in events] == [event]
    assert parts.nothing_is_due()
    assert parts.server.requests == []


def test_a_receiver_that_does_not_read_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        outside = make_fetcher([deaf.getsockname()[1]], ["127.0.0.1"], read_seconds=0.2).outside
        with (
            pytest.raises(PeerFailed, match="time"),
            outside.exchange("PUT", url, Deadline(2), headers={}, content=bytes(2**26)),
        ):
            pass
