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
    """Errands that one courier runs at a time, besides those that wait for slow servers."""
    courier_slow_errands: PositiveInt = 128
    """Errands that may go on although their servers are slow; past that some wait for another try."""
    courier_memory_bytes: PositiveInt = 512 * 2**20
    """What the pictures that one courier is fetching may take in memory, all together; at least
    `CUTGATE_MAX_SOURCE_BYTES`."""
    courier_kept_errands: NonNegativeInt = 2
    """How many of these fetches leave to callbacks and uploads, and those to fetches; half of them at most."""
    courier_account_errands: PositiveInt = 4
    """Errands of one account that may be under way at a time, over all couriers."""
    courier_max_attempts: PositiveInt = 3
    """After so many attempts in which its courier died, an errand ends."""
    courier_poll_seconds: PositiveFloat = 1
    """How often a courier with nothing to do looks for errands; of most it is told at once."""
    courier_stop_seconds: NonNegativeFloat = 4
    """How long a courier that is told to stop goes on with its errands; after that it gives them back."""

    courier_metrics_port: MetricsPort = None
    """Port that a courier shows its metrics on, at `/metrics`; unset, it shows none."""

    courier_allowed_networks: Networks = ()
    """Addresses or networks, split by commas, that sources and callbacks may be at although not public."""
    courier_refused_networks: Networks = ()
    """Addresses or networks, split by commas, that nothing may be at although public: your own, for one."""
    courier_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65_535)], ...], NoDecode, BeforeValidator(_split)
    ] = (80, 443, 8_080, 8_443)
    """Ports, split by commas, that sources and callbacks may be at."""
    courier_redirects: Annotated[int, Field(ge=0, le=5)] = 5
    """Redirects that are followed on the way to a source."""
    courier_media_types: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = (
        "image/*",
        "application/octet-stream",
        "binary/octet-stream",
    )
    """What a source's server may call it, split by commas; its bytes decide what it is."""

    courier_connect_seconds: PositiveFloat = 5
    """How long a connection to one address may take."""
    courier_read_seconds: PositiveFloat = 10
    """How long a server outside may be silent."""
    courier_total_seconds: Annotated[float, Field(gt=0, le=80)] = 60
    """How long an errand's whole exchange may take, names and redirects among it; less than its lease."""
    courier_first_seconds: Annotated[float, Field(gt=0, le=80)] = 15
    """How long the first try of a fetch may take; later ones have `CUTGATE_COURIER_TOTAL_SECONDS`."""
    courier_fetch_attempts: PositiveInt = 3
    """How often a source is fetched whose server fails."""
    courier_delivery_seconds: PositiveFloat = 3_600
    """How long a callback or an upload is tried again after it fell due."""
    courier_first_pause_seconds: PositiveFloat = 10
    """The longest pause before a delivery is tried again; each further one may be twice as long."""
    courier_longest_pause_seconds: PositiveFloat = 600
    """What the pauses between two tries of a delivery never exceed."""

    @override
    def ledger_limits(self) -> LedgerLimits:
        return replace(
            super().ledger_limits(),
            account_errand_cap=self.courier_account_errands,
            errand_max_crashes=self.courier_max_attempts,
        )
