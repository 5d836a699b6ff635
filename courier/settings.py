"""The courier's own settings, on top of those that it shares with the gateway."""

from typing import Annotated

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import NoDecode

from cutgate.gateway.settings import Networks, ServiceSettings, parts_of
from cutgate.jobs.settings import MetricsPort


def _split(value: object) -> object:
    return parts_of(value) if isinstance(value, str) else value


class CourierSettings(ServiceSettings):
    """What one courier process reads, once, at its entry point."""

    courier_errands: PositiveInt = 32
    """Errands of a courier at once, besides slow ones."""
    courier_stop_seconds: NonNegativeFloat = 4
    """How long a stopping courier works before it gives errands back."""

    courier_metrics_port: MetricsPort = None
    """Port of `/metrics`."""

    courier_allowed_networks: Networks = ()
    """Addresses or networks that may be called although they are not public."""
    courier_refused_networks: Networks = ()
    """Public addresses or networks that may not be called, such as your own."""
    courier_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_535)], ...], NoDecode, BeforeValidator(_split)
    ] = (80, 443, 8_080, 8_443)
    """Ports that may be called."""

    courier_delivery_seconds: PositiveFloat = 3_600
    """How long a callback or upload is retried."""
