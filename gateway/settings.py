"""The gateway's own settings, on top of those it shares with workers."""

import base64
import binascii
import math
from dataclasses import dataclass, replace
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

from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.presets import Choice
from cutgate.jobs.settings import JobSettings, MetricsPort

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
    return tuple((name.strip(), Choice.parse(chosen.strip())) for name, _, chosen in pairs)


Models = Annotated[tuple[tuple[str, Choice], ...], NoDecode, BeforeValidator(_models)]
"""Names and what they stand for; in the environment pairs split by commas."""

MASTER_KEY_BYTES: Final = 32
_ENVELOPE_BYTES: Final = 64 * 2**10
"""What a request holds beside its picture, generously."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """What HTTP connections keep to."""

    head_seconds: float = 10
    """Time for a whole head; a body and an answer have as much to begin with."""
    least_bytes_per_second: float = 16 * 2**10
    """What a body and an answer have to move on average."""
    transfer_seconds: float = 300
    """Longest time that a body, or an answer, may take."""
    turn_seconds: float = 300
    """How long a large body waits for a thread that receives it."""
    max_head_bytes: int = 64 * 2**10
    """Longest head; a body that is no longer is received without a thread."""
    receiving: int = 16
    """Large bodies that are received at once, a thread for each."""
    receiving_per_address: int = 8
    """Of those, what one address may take."""
    connections: int = 1_000
    """Connections of a process."""
    connections_per_address: int = 128
    """Of those, what one address may have."""
    exempt: tuple[Network, ...] = ()
    """Proxies: the connections of all clients come from them."""

    def allowed_seconds(self, moved_bytes: int) -> float:
        """How long a caller may have kept us waiting, in all, for a body or an answer of which so much moved."""
        return min(self.transfer_seconds, self.head_seconds + moved_bytes / self.least_bytes_per_second)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What WebSockets keep to."""

    at_once: int = 500
    """Connections; one above is closed with code 1013."""
    per_account: int = 250
    """Of those, what one account may have."""
    threads: int = 8
    """Threads for calls that block, over all connections."""
    max_message_bytes: int = 64 * 2**20
    """Longest message that a peer may send; after a longer one the connection is closed with code 1009."""
    idle_seconds: float = 120
    """A connection on which nothing came for so long, while its peer waits for nothing, is closed."""
    ping_seconds: float = 25
    """Time between pings, which show that the peer is there."""
    admission_seconds: float = 15
    """Time in which a peer has to show who it is."""
    strangers: int = 100
    """Connections whose peers have not shown that yet; one above is closed with code 1013."""
    strangers_per_address: int = 32
    """Of those, what one address may have."""
    max_unsent_bytes: int = 2**20
    """What may wait for a peer that does not read, beside one message that was begun when it did; above it the
    connection is broken off."""
    large_messages: int = 8
    """Messages above 1 MiB that are received and worked on at once: one of a connection, half of an account."""
    peers: PeerLimits = PeerLimits()
    """How slowly a large message may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLimits:
    """What HTTP callers that wait without a thread keep to."""

    at_once: int = 500
    """Callers of a process."""
    per_account: int = 250
    """Of those, what one account may have."""
    hang_up_seconds: float = 5
    """How long after its caller has hung up a task that was not begun is terminated."""
    peers: PeerLimits = PeerLimits()
    """How slowly an answer may be read."""


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
    """Port of `/metrics` and the detailed `/readyz`."""
    readiness_seconds: NonNegativeFloat = 1
    """How long a result of `/readyz` is cached."""
    least_free_bytes: NonNegativeInt = 64 * 2**20
    """If less is free for pictures, `/readyz` reports it; pictures that fit are still accepted."""
    processes: PositiveInt = 1
    """Gateway processes."""
    request_threads: Annotated[int, Field(ge=2)] = 16
    """Request threads; at most half wait for results."""
    thread_affinity: bool = True
    """On Linux, keep a process's threads on one processor at a time, since only one of them runs Python."""
    shutdown_seconds: PositiveInt = 30
    """How long requests may continue after the stop signal."""
    connections: Annotated[int, Field(ge=8, le=100_000)] = 1_000
    """Maximum HTTP connections; above it idle ones are closed."""
    connections_per_address: PositiveInt = 128
    """Maximum HTTP connections of one address, except trusted proxies; else 503."""
    head_seconds: PositiveFloat = 10
    """Timeout of a request's head, else 408. Bodies and answers get as much to begin with."""
    max_head_bytes: Annotated[int, Field(ge=4_096, le=2**20)] = 64 * 2**10
    """Maximum size of a head, else 431."""
    least_bytes_per_second: PositiveInt = 16 * 2**10
    """Minimum average speed of a body, else 408, or an answer, else cut off."""
    transfer_seconds: PositiveFloat = 300
    """Timeout of a body or an answer."""
    receiving_threads: PositiveInt = 16
    """Threads that receive large bodies."""
    receiving_threads_per_address: PositiveInt = 8
    """Threads that receive large bodies of one address, except trusted proxies."""
    receiving_wait_seconds: PositiveFloat = 300
    """How long a large body waits for a receiving thread, else 503."""

    playground: bool = True
    """Serve `/docs` and `/playground`, to which browsers are redirected from `/`."""
    trusted_proxies: Networks = ()
    """Addresses or networks whose `X-Forwarded-*` headers are trusted."""
    max_body_bytes: PositiveInt = 48 * 2**20
    """Maximum size of a request body, else 413."""
    max_batch_body_bytes: PositiveInt = 256 * 2**20
    """Maximum size of a body of `RemoveBackgroundsInBatch`."""
    body_memory_bytes: PositiveInt = 2 * 2**20
    """Larger bodies go to a temporary file; put `TMPDIR` on a disk."""
    large_bodies_bytes: PositiveInt = 48 * 2**20
    """Bytes of such bodies read at once before their senders are known, at twice the memory; a larger one is read
    alone."""
    large_bodies_wait_seconds: PositiveFloat = 30
    """How long such a body waits for its turn, else 503."""
    max_batch_images: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Maximum pictures of a batch."""
    image_price_credits: NonNegativeInt = 1
    """Price of a picture in credits."""
    unmetered_credits: NonNegativeInt = 1_000_000_000
    """`TotalCredits` of an account that was never granted credits."""

    submits_per_second: PositiveInt = 10
    """Requests with pictures of an account, unless set for it; as many at once as its queue may hold, see
    `CUTGATE_ACCOUNT_QUEUE_CAP`."""
    polls_per_second: PositiveInt = 200
    """Other requests of an account, unless set for it; at once as many as its queue may hold, in whole seconds."""
    failed_signatures_per_minute: PositiveInt = 30
    """Unknown keys, and wrong signatures of one key, from an address; as many at once. Above it, its large bodies
    and WebSockets are refused for a while."""
    proven_address_seconds: NonNegativeFloat = 3_600
    """How long an address that sent a right key is exempt from that."""

    go_numbers: bool = True
    """Accept signatures over numbers in Go's exponent notation."""
    ignore_unknown_fields: bool = False
    """Ignore unknown fields of an action."""
    throttle_status: Literal[200, 429] = 429
    """HTTP status at a cap or rate limit: 429 or 200."""
    retry_after_seconds: PositiveInt = 2
    """`Retry-After` when a part is down, or none can be computed."""
    max_runware_body_bytes: PositiveInt = 64 * 2**20
    """Maximum size of a body or WebSocket message of Runware's protocol."""
    max_runware_tasks: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Maximum tasks of one body or message."""
    runware_models: Models = ()
    """Models that run [Runware's ids](models.md#choose-a-model), such as
    `runware:109@1=fast,runware:112@5=birefnet-general`."""
    offer_memory_seconds: PositiveFloat = 7 * 86_400
    """How long a model can be requested after its last worker has gone."""
    runware_sync_seconds: PositiveFloat = 60
    """Maximum wait for a result in Runware's protocol, else 504."""
    removebg_sync_seconds: Annotated[float, Field(gt=0, le=300)] = 18
    """Maximum wait for a result of remove.bg's protocol, up to 300, else 429; a repeat joins it."""
    removebg_max_bytes: PositiveInt = 22 * 2**20
    """Maximum size of a picture in remove.bg's protocol, at most `CUTGATE_MAX_SOURCE_BYTES`."""
    removebg_units_per_minute: PositiveInt = 500
    """Megapixels, rounded up, that an account may send in a minute; with its own rate, sixty times that."""
    removebg_previews_per_credit: PositiveInt = 4
    """Pictures of size `preview` for one credit of remove.bg's protocol, the price of any other picture."""
    removebg_improvement: bool = False
    """Store pictures of `POST /v1.0/improve` as uploads of their account; else 403."""
    sockets: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Maximum WebSockets; further ones are closed with code 1013, also below."""
    sockets_per_account: PositiveInt = 250
    """Maximum WebSockets of one account."""
    socket_threads: PositiveInt = 8
    """Threads for WebSocket messages."""
    socket_calls: PositiveInt = 100
    """Calls of one WebSocket that may wait for results."""
    held_callers: Annotated[int, Field(ge=1, le=10_000)] = 500
    """HTTP callers that wait for results without a request thread."""
    held_callers_per_account: PositiveInt = 250
    """HTTP callers of one account that may wait so."""
    hang_up_seconds: NonNegativeFloat = 5
    """How long after its last caller hangs up a task that has not begun is terminated."""
    socket_idle_seconds: PositiveFloat = 120
    """A WebSocket that is silent for this long and waits for nothing is closed."""
    socket_ping_seconds: PositiveFloat = 25
    """Interval of the server's pings."""
    socket_authentication_seconds: PositiveFloat = 15
    """A WebSocket without a key for this long is closed."""
    sockets_unauthenticated: PositiveInt = 100
    """WebSockets without a key, at most half of all."""
    sockets_unauthenticated_per_address: PositiveInt = 32
    """WebSockets without a key from one address."""
    socket_unsent_bytes: Annotated[int, Field(ge=2**16)] = 2**20
    """Unread answers of a WebSocket, besides one result; above it the connection is cut off."""
    socket_large_messages: PositiveInt = 8
    """WebSocket messages over 1 MiB at once, at most half from one account."""
    session_seconds: PositiveFloat = 120
    """How long a lost WebSocket can be resumed."""

    @model_validator(mode="after")
    def _metrics_have_a_port_of_their_own(self) -> Self:
        if self.metrics_port == self.port:
            raise ValueError("metrics_port must not be the port of requests")
        return self

    @model_validator(mode="after")
    def _bodies_hold_pictures(self) -> Self:
        needed = -(-self.max_source_bytes // 3) * 4 + _ENVELOPE_BYTES
        if self.max_body_bytes < needed:
            raise ValueError(f"max_body_bytes must be at least {needed}, so that max_source_bytes fit in Base64")
        if self.max_runware_body_bytes < needed:
            raise ValueError(f"max_runware_body_bytes must be at least {needed}, so that max_source_bytes fit")
        if self.max_batch_body_bytes < self.max_body_bytes:
            raise ValueError("max_batch_body_bytes must not be less than max_body_bytes")
        return self

    @property
    def max_removebg_body_bytes(self) -> int:
        """The largest body of remove.bg's protocol: a picture in Base64, its signs escaped, and one behind it."""
        return self.removebg_max_bytes * 5 // 2 + _ENVELOPE_BYTES

    def removebg_limits(self) -> SourceLimits:
        """What pictures of remove.bg's protocol may be."""
        limits = self.source_limits()
        return replace(limits, max_bytes=min(limits.max_bytes, self.removebg_max_bytes))

    def is_small(self, body_bytes: int | None) -> bool:
        """Whether a body of so many bytes stays in memory; None where the caller does not tell."""
        return body_bytes is not None and body_bytes <= self.body_memory_bytes

    def peer_limits(self) -> PeerLimits:
        """What HTTP connections keep to."""
        return PeerLimits(
            head_seconds=self.head_seconds,
            least_bytes_per_second=self.least_bytes_per_second,
            transfer_seconds=self.transfer_seconds,
            turn_seconds=self.receiving_wait_seconds,
            max_head_bytes=self.max_head_bytes,
            receiving=self.receiving_threads,
            receiving_per_address=self.receiving_threads_per_address,
            connections=self.connections,
            connections_per_address=self.connections_per_address,
            exempt=self.trusted_proxies,
        )

    def hold_limits(self) -> HoldLimits:
        """What HTTP callers that wait keep to."""
        return HoldLimits(
            at_once=self.held_callers,
            per_account=self.held_callers_per_account,
            hang_up_seconds=self.hang_up_seconds,
            peers=self.peer_limits(),
        )

    def socket_limits(self) -> SocketLimits:
        """What WebSockets keep to."""
        return SocketLimits(
            at_once=self.sockets,
            per_account=self.sockets_per_account,
            threads=self.socket_threads,
            max_message_bytes=self.max_runware_body_bytes,
            idle_seconds=self.socket_idle_seconds,
            ping_seconds=self.socket_ping_seconds,
            admission_seconds=self.socket_authentication_seconds,
            strangers=min(self.sockets_unauthenticated, math.ceil(self.sockets / 2)),
            strangers_per_address=self.sockets_unauthenticated_per_address,
            max_unsent_bytes=self.socket_unsent_bytes,
            large_messages=self.socket_large_messages,
            peers=self.peer_limits(),
        )


def _decoded(master_key: SecretStr) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(key, validate=True) for key in master_key.get_secret_value().split())
