"""The gateway's own settings, on top of those it shares with workers."""

import base64
import binascii
import math
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from cutgate.jobs.settings import JobSettings, MetricsPort
from cutgate.jobs.spec import ModelChoice

Network = IPv4Network | IPv6Network


def _networks(value: object) -> object:
    return tuple(ip_network(part, strict=False) for part in parts_of(value)) if isinstance(value, str) else value


def parts_of(text: str) -> tuple[str, ...]:
    """What commas split."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]
"""Addresses or networks; in the environment split by commas."""


def _models(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in parts_of(value)]
    if not all(chosen for _, _, chosen in pairs):
        raise ValueError("must be pairs such as runware:112@5=best, split by commas")
    return tuple((name.strip(), ModelChoice.parse(chosen.strip())) for name, _, chosen in pairs)


Models = Annotated[tuple[tuple[str, ModelChoice], ...], NoDecode, BeforeValidator(_models)]
"""Names and what they stand for; in the environment pairs split by commas."""

MASTER_KEY_BYTES: Final = 32
OPERATOR_KEY_CHARACTERS: Final = 32
ENVELOPE_BYTES: Final = 64 * 2**10
"""What a request holds beside its picture, generously."""
LEAST_BYTES_PER_SECOND: Final = 16 * 2**10
"""What a body or an answer has to move on average: as a slow mobile network does, and a caller that only wants to
hold a place does not."""
_ONE_CLIENT: Final = 8
"""So many of anything one address may always have: what a busy client's pool of connections needs."""


class ServiceSettings(JobSettings):
    """What gateway and courier share: the master key, and what they tell callers."""

    master_key: SecretStr
    """32 bytes in Base64 that encrypt accounts' keys and sign result addresses; or two, separated by white space,
    [during replacement](production.md#secrets). Not for workers."""
    public_url: str | None = None
    """Base of result addresses, such as `https://cutouts.example.com`; by default the request's host."""
    usd_per_credit: NonNegativeFloat = 0
    """Price of a credit in US dollars, for Runware's `cost` and `balance`."""

    @field_validator("master_key")
    @classmethod
    def _is_one_key_or_two(cls, value: SecretStr) -> SecretStr:
        try:
            sizes = [len(key) for key in _decoded(value)]
        except (binascii.Error, ValueError):
            sizes = []
        if sizes not in ([MASTER_KEY_BYTES], [MASTER_KEY_BYTES] * 2):
            raise ValueError(f"must be {MASTER_KEY_BYTES} bytes in Base64, or two such keys with a blank between")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_a_base(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    def master_keys(self) -> tuple[bytes, ...]:
        """The master keys, decoded: the first one encrypts and signs, all of them decrypt and check."""
        return _decoded(self.master_key)


class GatewaySettings(ServiceSettings):
    """What one gateway process reads, once, at its entry point."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_080
    """Port to listen on."""
    metrics_port: MetricsPort = None
    """Port of `/metrics`, the detailed `/readyz` and `/operator`."""
    operator_key: SecretStr | None = None
    """Key of the [operator's page](operations.md#the-page) at the metrics port, at least 32 characters; without it
    there is no page."""
    least_free_bytes: NonNegativeInt = 64 * 2**20
    """If less is free for pictures, `/readyz` reports it; pictures that fit are still accepted."""
    offer_memory_seconds: PositiveFloat = 604_800
    """How long a model can be asked for after its last worker has gone."""
    scale_to_zero: bool = False
    """Workers may be missing while nothing waits: `/readyz` answers 200 without one, and
    [no alert](kubernetes.md#scale-to-zero) is given."""
    processes: PositiveInt = 1
    """Gateway processes."""
    request_threads: Annotated[int, Field(ge=2)] = 16
    """Request threads. Nobody waits in one."""
    shutdown_seconds: PositiveInt = 30
    """How long requests may continue after the stop signal."""
    connections: Annotated[int, Field(ge=8, le=100_000)] = 1_000
    """Maximum HTTP connections; above it idle ones are closed. An address has an eighth, at least 8, unless it is
    a trusted proxy; else 503."""
    head_seconds: PositiveFloat = 10
    """Timeout of a request's head, else 408. Bodies and answers get as much to begin with."""
    transfer_seconds: PositiveFloat = 300
    """Timeout of a body or an answer, which also has to move 16 KiB a second on average."""

    playground: bool = True
    """Serve `/docs` and `/playground`, to which browsers are redirected from `/`."""
    trusted_proxies: Networks = ()
    """Addresses or networks whose `X-Forwarded-*` headers are trusted."""
    max_body_bytes: PositiveInt = 48 * 2**20
    """Maximum size of a request body, else 413."""
    max_batch_body_bytes: PositiveInt = 256 * 2**20
    """Maximum size of a body of `RemoveBackgroundsInBatch`."""
    large_bodies_bytes: PositiveInt = 48 * 2**20
    """Bytes of bodies over 2 MiB that are read at once before their senders are known, at twice the memory; a
    larger one is read alone."""
    max_batch_images: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Maximum pictures of a batch."""
    image_price_credits: NonNegativeInt = 1
    """Price of a picture in credits."""

    submits_per_second: PositiveInt = 10
    """Requests with pictures of an account, unless set for it; as many at once as its queue may hold, see
    `CUTGATE_ACCOUNT_QUEUE_CAP`."""
    polls_per_second: PositiveInt = 200
    """Other requests of an account, unless set for it; at once as many as its queue may hold, in whole seconds."""
    failed_signatures_per_minute: PositiveInt = 30
    """Unknown keys, and wrong signatures of one key, from an address; as many at once. Above it, its large bodies
    and WebSockets are refused for a while."""

    go_numbers: bool = True
    """Accept signatures over numbers in Go's exponent notation."""
    ignore_unknown_fields: bool = False
    """Ignore unknown fields of an action."""
    throttle_status: Literal[200, 429] = 429
    """HTTP status at a cap or rate limit: 429 or 200."""
    max_runware_body_bytes: PositiveInt = 64 * 2**20
    """Maximum size of a body or WebSocket message of Runware's protocol."""
    max_runware_tasks: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Maximum tasks of one body or message."""
    runware_models: Models = ()
    """Models that run [Runware's ids](models.md#choose-a-model), such as
    `runware:109@1=fast,runware:112@5=birefnet-general`."""
    runware_sync_seconds: PositiveFloat = 60
    """Maximum wait for a result in Runware's protocol and in rembg's, else 504."""
    removebg_sync_seconds: Annotated[float, Field(gt=0, le=300)] = 18
    """Maximum wait for a result of remove.bg's protocol, up to 300, else 429; a repeat joins it."""
    removebg_units_per_minute: PositiveInt = 500
    """Megapixels, rounded up, that an account may send in a minute; with its own rate, sixty times that."""
    removebg_improvement: bool = False
    """Store pictures of `POST /v1.0/improve` as uploads of their account; else 403."""
    rembg_api: bool = False
    """Serve [rembg's API](rembg.md) at `/api/remove`, to callers with a key."""
    rembg_account: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")] | None = None
    """Account that requests of rembg's API without a key belong to: [whoever reaches the service may use
    it](rembg.md#without-a-key)."""
    sockets: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Maximum WebSockets, half of them of one account or without a key; further ones are closed with code 1013."""
    held_callers: Annotated[int, Field(ge=1, le=10_000)] = 500
    """HTTP callers that wait for results or follow tasks by events, half of them of one account."""

    @field_validator("operator_key")
    @classmethod
    def _cannot_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if len(value.get_secret_value()) < OPERATOR_KEY_CHARACTERS:
            raise ValueError(
                f"must have at least {OPERATOR_KEY_CHARACTERS} characters; run `openssl rand -hex 32`"
            )
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        needed = -(-self.max_source_bytes // 3) * 4 + ENVELOPE_BYTES
        enough = f"must be at least {needed}, so that max_source_bytes fit in Base64"
        for is_wrong, fault in (
            (self.metrics_port == self.port, "metrics_port must not be the port of requests"),
            (self.rembg_account and not self.rembg_api, "rembg_account needs rembg_api"),
            (
                self.operator_key and self.metrics_port is None,
                "operator_key needs metrics_port, where the operator's page is",
            ),
            (self.max_body_bytes < needed, f"max_body_bytes {enough}"),
            (self.max_runware_body_bytes < needed, f"max_runware_body_bytes {enough}"),
            (
                self.max_batch_body_bytes < self.max_body_bytes,
                "max_batch_body_bytes must not be less than max_body_bytes",
            ),
        ):
            if is_wrong:
                raise ValueError(fault)
        return self

    def allowed_seconds(self, moved_bytes: int) -> float:
        """How long a caller may have kept us waiting, in all, for a body or an answer of which so much moved."""
        return min(self.transfer_seconds, self.head_seconds + moved_bytes / LEAST_BYTES_PER_SECOND)


def per_address(total: int) -> int:
    """What one address may have of all that there is: an eighth, but as much as one busy client needs."""
    return min(total, max(_ONE_CLIENT, total // 8))


def half(total: int) -> int:
    """What one account may have of all that there is: the other half is there for all others."""
    return math.ceil(total / 2)


def _decoded(master_key: SecretStr) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(key, validate=True) for key in master_key.get_secret_value().split())
