"""Hints, as Celery carries them and as a test follows them."""

import json
import socket
import time
from base64 import b64decode

import pytest
from redis import Redis

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.hints.celery import PUBLISHER_CONNECTIONS, CeleryQueue, broker_url, celery_settings
from cutgate.jobs.hints.queue import TASK_NAME, queue_name
from cutgate.jobs.spec import Lane
from tests.jobs.build import run_at_once
from tests.servers.redis_server import redis_server

LANE = Lane("isnet-general-use:exact")


def test_a_hint_is_a_message_that_carries_the_lane(redis_url: str) -> None:
    lane = Lane("hinted:exact")
    queue = CeleryQueue(redis_url)
    queue.hint(lane)
    queue.hint(lane)
    with Redis.from_url(redis_url) as client:
        assert client.llen(queue_name(lane)) == 2
        message = json.loads(client.lpop(queue_name(lane)) or b"")
    assert message["headers"]["task"] == TASK_NAME
    assert message["headers"]["ignore_result"] is True
    assert json.loads(b64decode(message["body"]))[0] == [lane]


def test_what_no_worker_has_taken_is_pending(redis_url: str) -> None:
    lane = Lane("pending:exact")
    queue = CeleryQueue(redis_url)
    assert queue.pending(lane) == 0
    queue.hint(lane)
    queue.hint(lane)
    queue.hint(Lane("other:exact"))
    assert queue.pending(lane) == 2
    with Redis.from_url(redis_url) as client:
        client.lpop(queue_name(lane))
    assert queue.pending(lane) == 1


def test_a_password_and_a_database_reach_the_broker() -> None:
    with redis_server(password="s3cret") as url:
        queue = CeleryQueue(f"{url}?db=3")
        queue.hint(LANE)
        assert queue.pending(LANE) == 1
        with Redis.from_url(f"{url}?db=3") as client:
            assert client.llen(queue_name(LANE)) == 1


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("redis://:pw@h:1/2", "redis://:pw@h:1/2"),
        ("rediss://h/0", "rediss://h/0?ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_ca_certs=/ca", "rediss://h/0?ssl_ca_certs=/ca&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
        ("sentinel://:p%2Fw@h:1,[::1]/2?service=s", "sentinel://:p%2Fw@h:1/2;sentinel://:p%2Fw@[::1]:26379/2"),
        ("rediss+sentinel://h:1,i/2?service=s", "sentinel://h:1/2;sentinel://i:26379/2"),
        ("unix:///tmp/r.sock", "redis+socket:///tmp/r.sock?virtual_host=0"),
        ("unix://u:pw@/tmp/r.sock?db=4", "redis+socket://u:pw@/tmp/r.sock?virtual_host=4"),
    ],
)
def test_urls_as_celery_reads_them(redis_url: str, expected: str) -> None:
    assert broker_url(redis_url) == expected


def test_a_broker_that_is_away() -> None:
    queue = CeleryQueue("redis://:p4ssw0rd@127.0.0.1:1/0")
    for call in (queue.hint, queue.pending):
        with pytest.raises(LedgerUnavailable) as error:
            call(LANE)
        assert "p4ssw0rd" not in str(error.value)


def test_a_broker_that_hangs_holds_nobody_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        queue = CeleryQueue(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            queue.hint(LANE)
        assert time.monotonic() - started < 3


def test_more_threads_than_connections_hint_at_once(redis_url: str) -> None:
    lane = Lane("crowd:exact")
    queue = CeleryQueue(redis_url)
    run_at_once(PUBLISHER_CONNECTIONS + 8, lambda _: queue.hint(lane))
    with Redis.from_url(redis_url) as client:
        assert client.llen(queue_name(lane)) == PUBLISHER_CONNECTIONS + 8


def test_a_broker_that_comes_back() -> None:
    with redis_server() as url:
        queue = CeleryQueue(url)
        queue.hint(LANE)
        with Redis.from_url(url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
            queue.hint(LANE)
            assert client.llen(queue_name(LANE)) == 2


def test_each_side_gets_settings_of_its_own() -> None:
    one, other = celery_settings("redis://h"), celery_settings("redis://h")
    assert one == other
    assert one["broker_transport_options"] is not other["broker_transport_options"]
