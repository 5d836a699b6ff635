"""The courier's own settings, on top of the gateway's, whose package it belongs to."""

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import NoDecode
from typing_extensions import override

from cutgate.gateway.settings import GatewaySettings, Networks, parts_of
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.settings import MetricsPort


def _split(value: object) -> object:
    return parts_of(value) if isinstance(value, str) else value


class CourierSettings(GatewaySettings):
    """What one courier process reads, once, at its entry point."""

    courier_errands: PositiveInt = 32
    """Errands of a courier at once, besides slow ones."""
    courier_slow_errands: PositiveInt = 128
    """Errands that may wait for slow servers; above it some are put back."""
    courier_memory_bytes: PositiveInt = 512 * 2**20
    """Memory for fetches; at least `CUTGATE_MAX_SOURCE_BYTES`."""
    courier_kept_errands: NonNegativeInt = 2
    """Places reserved for deliveries, and as many for fetches; at most half."""
    courier_account_errands: PositiveInt = 4
    """Errands of an account at once, over all couriers."""
    courier_max_attempts: PositiveInt = 3
    """An errand ends once this many of its couriers have died."""
    courier_poll_seconds: PositiveFloat = 1
    """How often an idle courier looks for errands it was not notified of."""
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
    courier_redirects: Annotated[int, Field(ge=0, le=5)] = 5
    """Redirects followed to a source."""
    courier_media_types: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = (
        "image/*",
        "application/octet-stream",
        "binary/octet-stream",
    )
    """Media types that a source may declare; its bytes decide."""

    courier_connect_seconds: PositiveFloat = 5
    """Connect timeout."""
    courier_read_seconds: PositiveFloat = 10
    """Read timeout."""
    courier_total_seconds: Annotated[float, Field(gt=0, le=80)] = 60
    """Timeout of an errand, at most 80."""
    courier_first_seconds: Annotated[float, Field(gt=0, le=80)] = 15
    """Timeout of the first attempt of a fetch."""
    courier_fetch_attempts: PositiveInt = 3
    """Attempts to fetch a source whose server fails."""
    courier_delivery_seconds: PositiveFloat = 3_600
    """How long a callback or upload is retried."""
    courier_first_pause_seconds: PositiveFloat = 10
    """Longest pause before the first retry of a delivery; doubles with each retry."""
    courier_longest_pause_seconds: PositiveFloat = 600
    """Upper limit of these pauses."""

    @override
    def ledger_limits(self) -> LedgerLimits:
        return replace(
            super().ledger_limits(),
            account_errand_cap=self.courier_account_errands,
            errand_max_crashes=self.courier_max_attempts,
        )
