"""The broker as a worker's Celery meets it."""

from celery import Celery

from cutgate.jobs.hints.celery import celery_settings
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.spec import Lane
from cutgate.worker.process.broker import HintBroker


def application(url: str) -> Celery:
    """A worker's application, without tasks."""
    app = Celery("test", set_as_current=False, amqp=HintBroker)
    app.conf.update(celery_settings(url))
    return app


def take_hint(url: str, lane: Lane) -> Lane | None:
    """Take a hint of a lane, as its worker does; the lane that it names, None where there is no hint."""
    app = application(url)
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1)
        message = connection.default_channel.basic_get(queue_name(lane))
        if message is None:
            return None
        message.ack()
        return Lane(message.payload[0][0])
