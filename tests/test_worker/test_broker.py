"""Celery's connection to the broker: how soon an absent one is asked again."""

from __future__ import annotations

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from worker.broker import PromptBroker


def test_an_absent_broker_is_asked_again_soon() -> None:
    pauses_seconds: list[float] = []
    app = Celery("test", set_as_current=False, amqp=PromptBroker, broker="redis+socket:///nowhere/redis.sock")
    with app.connection_for_read() as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda error, pause: pauses_seconds.append(pause), max_retries=2)
    assert pauses_seconds == [0.5, 1.0]
