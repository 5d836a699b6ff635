"""Celery's connection to the broker: it comes back soon, and a lost acknowledgement stops nothing."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from cutgate.jobs.hints.celery import broker_url
from cutgate.jobs.redis_client import connect
from tests.broker import application
from tests.servers.redis_server import redis_server
from tests.servers.relay import LossyRelay, lossy_relay


def test_an_absent_broker_is_asked_again_soon() -> None:
    pauses_seconds: list[float] = []
    with (
        application("unix:///nowhere/redis.sock").connection_for_read() as connection,
        pytest.raises(OperationalError),
    ):
        connection.ensure_connection(lambda error, pause: pauses_seconds.append(pause), max_retries=2)
    assert pauses_seconds == [0.5, 1.0]


def test_a_server_that_takes_no_writes_is_asked_again_after_the_same_pauses() -> None:
    pauses_seconds: list[float] = []
    with redis_server("--min-replicas-to-write", "1") as url, application(url).connection_for_read() as connection:
        with pytest.raises(OperationalError, match="NOREPLICAS"):
            connection.ensure_connection(lambda error, pause: pauses_seconds.append(pause), max_retries=2)
        assert pauses_seconds == [0.5, 1.0]
        with connect(url) as client:
            client.config_set("min-replicas-to-write", 0)
        connection.ensure_connection(max_retries=1)


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h:1/0", "unix:///nowhere/redis.sock"])
def test_every_url_has_the_same_transport(url: str) -> None:
    with application(url).connection_for_read() as connection:
        assert connection.transport.driver_type == "redis"
        assert connection.as_uri().startswith(broker_url(url).partition(":")[0])


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyRelay]:
    with lossy_relay(redis_url) as proxy:
        yield proxy


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_a_lost_acknowledgement_does_not_keep_the_next_message_away(proxy: LossyRelay, end: str) -> None:
    queue = f"test-{secrets.token_hex(4)}"
    with application(proxy.url).connection_for_read() as connection:
        channel = connection.default_channel
        channel.basic_qos(0, 1, False)
        connection.SimpleQueue(queue).put("hint")
        message = taken(channel, queue)
        assert not channel.qos.can_consume()
        proxy.lose_next_reply()
        errors = (*connection.connection_errors, *connection.channel_errors)
        with pytest.raises(errors):
            message.ack() if end == "ack" else message.reject(requeue=end == "requeue")
        assert proxy.lost_count == 1
        assert channel.qos.can_consume()


def taken(channel: Any, queue: str) -> Any:
    message = channel.basic_get(queue)
    assert message is not None
    return message
