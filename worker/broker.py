"""Celery's connection to the broker, which is back soon after the broker is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery.app.amqp import AMQP
from kombu.connection import Connection

_PAUSES: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}
"""Seconds before the next attempt to connect. Celery has no setting for them."""


class PromptConnection(Connection):
    """Asks an absent broker again every two seconds at the latest.

    Left alone, Celery's pauses grow by two seconds each, up to half a minute, which a worker sits out although the
    broker is back: after an outage of a minute that takes another sixteen seconds.
    """

    def ensure_connection(self, *arguments: Any, **named: Any) -> Any:
        """As kombu's, with other pauses unless the caller names them."""
        ensure: Callable[..., Any] = super().ensure_connection
        return ensure(*arguments, **{**_PAUSES, **named})


class PromptBroker(AMQP):  # type: ignore[misc]  # Celery publishes no types
    """What a Celery application makes its connections by; for `Celery(amqp=...)`."""

    Connection = PromptConnection
