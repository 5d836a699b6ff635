"""Celery's connection to the broker, held to what a service needs that must come back by itself."""

from collections.abc import Callable
from typing import Any, Final

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis

_PAUSES: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
"""Seconds before the next attempt to connect. Celery has no setting for them."""


class HintQoS(redis.QoS):
    """Counts a hint as done although its acknowledgement was lost.

    Left alone, the message stays among those that the worker holds; with a prefetch of one it then takes no other,
    for ever and without a word, as long as the connection that it listens on lasts. The server's copy comes again
    after the visibility timeout and finds nothing to claim.
    """

    def ack(self, delivery_tag: str) -> None:
        """As kombu's, and done whatever the server says."""
        ack: Callable[[str], None] = super().ack
        try:
            ack(delivery_tag)
        finally:
            self._quick_ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """As kombu's, and done whatever the server says: a hint that is lost is sent again by the reaper."""
        reject: Callable[[str, bool], None] = super().reject
        try:
            reject(delivery_tag, requeue)
        finally:
            self._quick_ack(delivery_tag)


class HintChannel(redis.Channel):
    """A channel that goes on after a lost acknowledgement."""

    QoS = HintQoS


class HintTransport(redis.Transport):
    """Redis as kombu speaks it, with such channels; connected once the server takes writes."""

    Channel: type[redis.Channel] = HintChannel

    def establish_connection(self) -> Any:
        """As kombu's, and with what it does first on a connection, which is a write.

        Left alone, kombu connects to a server that refuses all writes for a while, such as a master without its
        copies, is refused, and connects again at once, many times a second.
        """
        establish: Callable[[], Any] = super().establish_connection
        close: Callable[[Any], None] = self.close_connection
        connection = establish()
        try:
            self._avail_channels[-1].qos.restore_visible(interval=1)
        except Exception:
            close(connection)
            raise
        return connection


class HintSentinelChannel(redis.SentinelChannel):
    """The same behind sentinels, which name the server."""

    QoS = HintQoS


class HintSentinelTransport(HintTransport, redis.SentinelTransport):
    """The same behind sentinels."""

    Channel = HintSentinelChannel


class HintConnection(Connection):
    """Asks an absent broker again every two seconds at the latest.

    Left alone, Celery's pauses grow by two seconds each, up to half a minute, which a worker sits out although the
    broker is back: after an outage of a minute that takes another sixteen seconds.
    """

    def get_transport_cls(self) -> type[redis.Transport]:
        """The one for a server, or the one for a server behind sentinels."""
        return HintSentinelTransport if self.transport_cls == "sentinel" else HintTransport

    def ensure_connection(self, *arguments: Any, **named: Any) -> Any:
        """As kombu's, with other pauses unless the caller names them."""
        ensure: Callable[..., Any] = super().ensure_connection
        return ensure(*arguments, **{**_PAUSES, **named})


class HintBroker(AMQP):  # type: ignore[misc]  # Celery publishes no types
    """What a Celery application makes its connections by; for `Celery(amqp=...)`."""

    Connection = HintConnection
