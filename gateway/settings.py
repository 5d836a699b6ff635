"""The gateway's own settings, on top of those it shares with workers."""

import base64
import binascii
import math
from dataclasses import dataclass
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
    turn_seconds: float = 30
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


class GatewaySettings(JobSettings):
    """What one gateway process reads, once, at its entry point."""

    master_key: SecretStr
    """32 bytes in Base64: keys of accounts are encrypted with it, result addresses signed. While it is being
    replaced two, the new one first, with a blank or an end of line between: the first one encrypts and signs, both
    decrypt and check. Workers have no use for it and are not given it."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8_080
    """Port to listen on."""
    metrics_port: MetricsPort = None
    """Port that the gateway shows its metrics on, at `/metrics`, and at `/readyz` which parts are away and which
    workers are there; unset, it shows neither."""
    readiness_seconds: NonNegativeFloat = 1
    """How long what `/readyz` found counts, however many ask."""
    least_free_bytes: NonNegativeInt = 64 * 2**20
    """Where the folder of the pictures has less room than this, `/readyz` says that it is missing; what fits is
    accepted all the same."""
    processes: PositiveInt = 1
    """Gateway processes."""
    request_threads: Annotated[int, Field(ge=2)] = 16
    """Request threads of each process; half of them may wait for results."""
    shutdown_seconds: PositiveInt = 30
    """How long running requests may take to end after the stop signal."""
    connections: Annotated[int, Field(ge=8, le=100_000)] = 1_000
    """HTTP connections that each process holds at once. When there are more, idle ones are closed."""
    connections_per_address: PositiveInt = 128
    """HTTP connections that each process holds of one address at once, unless it is a trusted proxy's; one more is
    answered with 503."""
    head_seconds: PositiveFloat = 10
    """How long the head of a request may take; over it the answer is HTTP 408. Bodies and answers have as long to
    begin with."""
    max_head_bytes: Annotated[int, Field(ge=4_096, le=2**20)] = 64 * 2**10
    """Longest head of a request; over it the answer is HTTP 431."""
    least_bytes_per_second: PositiveInt = 16 * 2**10
    """What a body and an answer must move on average; a slower body is answered with HTTP 408, and of a slower
    answer the rest is not sent."""
    transfer_seconds: PositiveFloat = 300
    """Longest time that a body may take to arrive, or an answer to be read."""
    receiving_threads: PositiveInt = 16
    """Threads of each process, beside its request threads, for large bodies that arrive; other bodies wait."""
    receiving_threads_per_address: PositiveInt = 8
    """Of those, what bodies from one address may take, unless it is a trusted proxy's."""
    receiving_wait_seconds: PositiveFloat = 30
    """How long a large body waits for such a thread; then the answer is HTTP 503."""

    playground: bool = True
    """Serve the page at `/playground`, on which a visitor tries the service with a key pair of their own, and send
    browsers there from `/`."""
    public_url: str | None = None
    """Base of result addresses, such as `https://cutouts.example.com`; the request's own host when absent."""
    trusted_proxies: Networks = ()
    """Addresses or networks, split by commas, whose `X-Forwarded-*` headers count."""
    max_body_bytes: PositiveInt = 48 * 2**20
    """Largest request body; over it the answer is HTTP 413."""
    max_batch_body_bytes: PositiveInt = 256 * 2**20
    """Largest request body of `RemoveBackgroundsInBatch`."""
    body_memory_bytes: PositiveInt = 2 * 2**20
    """Larger request bodies arrive in a temporary file; `TMPDIR` says where, and should be on a disk."""
    large_bodies_bytes: PositiveInt = 48 * 2**20
    """So many bytes of such bodies each process reads at a time, before it knows who sent them; the others wait on
    disk. It takes twice as much memory. A body that is larger is read alone."""
    large_bodies_wait_seconds: PositiveFloat = 30
    """How long a body waits for that; then the answer is HTTP 503."""
    max_batch_images: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Most pictures of one batch."""
    image_price_credits: NonNegativeInt = 1
    """Price of one picture."""
    unmetered_credits: NonNegativeInt = 1_000_000_000
    """`TotalCredits` of an account that was never granted any, and is therefore not metered."""

    submits_per_second: PositiveInt = 10
    """Requests with pictures that one account may send in a second, unless its own terms say otherwise: so many at
    once, and from then on evenly."""
    polls_per_second: PositiveInt = 50
    """Other requests that one account may send in a second, unless its own terms say otherwise: so many at once,
    and from then on evenly."""
    failed_signatures_per_minute: PositiveInt = 30
    """Unknown keys, and wrong signatures of one key, that a client's address may send in a minute: so many at
    once, and from then on evenly. Past that its large bodies and WebSockets are refused for a while; a right key
    in a small body passes, and ends that."""
    proven_address_seconds: NonNegativeFloat = 3_600
    """How long an address from which a right key came is not shut out, whoever sends wrong ones from there."""

    go_numbers: bool = True
    """Accept signatures over numbers in Go's exponent notation."""
    ignore_unknown_fields: bool = False
    """Ignore names that an action does not know, instead of refusing them."""
    throttle_status: Literal[200, 429] = 429
    """HTTP status of an answer that says a cap or rate is reached."""
    retry_after_seconds: PositiveInt = 2
    """What `Retry-After` says when a part is away; of rates and full queues it is computed where it can be."""
    max_runware_body_bytes: PositiveInt = 64 * 2**20
    """Largest request body, and message of a WebSocket, of the Runware protocol."""
    max_runware_tasks: Annotated[int, Field(ge=1, le=1_000)] = 32
    """Most tasks of one of its messages."""
    runware_models: Models = ()
    """What runs its models, such as `runware:109@1=fast,runware:112@5=birefnet-general`: presets, models, or names
    with a precision. Others run as the network that they name where workers offer it, else as the account's."""
    offer_memory_seconds: PositiveFloat = 7 * 86_400
    """How long a model can be asked for after its last worker has gone; then a request for it is refused at once.
    `CUTGATE_MODEL` is never refused."""
    runware_sync_seconds: PositiveFloat = 60
    """How long one of its calls may wait for a result; then the answer is HTTP 504."""
    runware_poll_seconds: NonNegativeFloat = 2
    """How long `getResponse` waits for a task that has not ended."""
    sockets: Annotated[int, Field(ge=1, le=10_000)] = 500
    """WebSockets that each process holds at once; one more is closed with code 1013."""
    sockets_per_account: PositiveInt = 250
    """Of those, what one account may have; one more is closed with code 1013."""
    socket_threads: PositiveInt = 8
    """Threads of each process that do what comes over its WebSockets."""
    socket_calls: PositiveInt = 100
    """Calls of one WebSocket that may wait for results at once."""
    socket_idle_seconds: PositiveFloat = 120
    """A WebSocket on which nothing came for so long, while nothing is waited for, is closed."""
    socket_ping_seconds: PositiveFloat = 25
    """Time between the server's own pings."""
    socket_authentication_seconds: PositiveFloat = 15
    """A WebSocket on which no key came for so long is closed."""
    sockets_unauthenticated: PositiveInt = 100
    """WebSockets of each process on which no key has come yet, and never more than half of all; one more is closed
    with code 1013."""
    sockets_unauthenticated_per_address: PositiveInt = 32
    """Of those, what one address may have."""
    socket_unsent_bytes: Annotated[int, Field(ge=2**16)] = 2**20
    """What may wait for the caller of a WebSocket that does not read, beside one result; over it the connection is
    broken off."""
    socket_large_messages: PositiveInt = 8
    """Messages of more than 1 MiB that each process receives and works on at once, over all WebSockets, at most
    half of them of one account; others wait. Two at a time take a few times their size in memory."""
    session_seconds: PositiveFloat = 120
    """How long a lost WebSocket can be resumed."""
    usd_per_credit: NonNegativeFloat = 0
    """What a credit costs where the protocol speaks of US dollars: `cost` and `balance`."""
    redis_timeout_seconds: PositiveFloat = 0.6
    """How long one of three attempts to reach the ledger's server may take."""

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

    def is_small(self, body_bytes: int | None) -> bool:
        """Whether a body of so many bytes stays in memory; None where the caller does not tell."""
        return body_bytes is not None and body_bytes <= self.body_memory_bytes

    def master_keys(self) -> tuple[bytes, ...]:
        """The master keys, decoded: the first one encrypts and signs, all of them decrypt and check."""
        return _decoded(self.master_key)

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
