"""How often an account may ask, and how often an address may sign wrongly.

Windows move: a fixed one lets twice the rate through around its edge, and only the moving one can say exactly when
the next request will be let in. It costs a short list for each account that asks. Each decision is one atomic
step on the shared storage, so the limits hold over all processes together.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter
from redis import Redis

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.addresses import subscriber
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.redis.client import ledger_errors


class Rate(StrEnum):
    """What a request is counted as; each has a window of its own."""

    SUBMIT = "submit"
    POLL = "poll"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a window says of one request."""

    granted: bool
    limit: int
    """Requests of one window."""
    remaining: int
    """Requests that would be granted now."""
    frees_at_seconds: float
    """Unix time at which the oldest request leaves the window."""

    def headers(self) -> Mapping[str, str]:
        """What a client needs to slow down before it is refused."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.frees_at_seconds)),
        }


class RateExceeded(Exception):
    """Too many requests of an account, or too many wrong signatures from an address."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(f"the limit is {allowance.limit} requests in a window")
        #: Seconds after which a request can be granted again, at least 1.
        self.retry_after_seconds = max(1, math.ceil(allowance.frees_at_seconds - time.time()))


class RequestLimits:
    """Counts requests of accounts, and wrong signatures of addresses."""

    def __init__(self, storage: Storage, settings: GatewaySettings) -> None:
        """Use a storage.

        Args:
            storage: from `redis_storage`; `limits.storage.MemoryStorage` for one process in tests.
            settings: the rates where an account's terms name none.
        """
        self._windows = MovingWindowRateLimiter(storage)
        self._rates = {Rate.SUBMIT: settings.submits_per_second, Rate.POLL: settings.polls_per_second}
        self._failures = RateLimitItemPerMinute(settings.failed_signatures_per_minute, namespace="failure")

    def take(self, account: str, terms: Terms, rate: Rate, weight: int = 1) -> Allowance:
        """Count a request of an account, if there is room for it.

        Args:
            account: who asks.
            terms: the account's own rates.
            rate: which of them.
            weight: how many requests it counts as, all of a window at most.

        Raises:
            LedgerUnavailable: the storage is away.
        """
        own = {Rate.SUBMIT: terms.submits_per_second, Rate.POLL: terms.polls_per_second}[rate]
        item = RateLimitItemPerSecond(own or self._rates[rate], namespace=rate.value)
        with ledger_errors():
            granted = self._windows.hit(item, account, cost=min(weight, item.amount))
        return self._allowance(item, account, granted=granted)

    @contextmanager
    def counting_failures(self, address: str | None, failures: tuple[type[Exception], ...]) -> Iterator[None]:
        """Refuse a client's address that failed too often before it costs more, and count what fails in the block.

        Args:
            address: of the client.
            failures: what counts against it when the block raises it.

        Raises:
            RateExceeded: too many signatures or keys from there were wrong.
            LedgerUnavailable: the storage is away.
        """
        self.check_address(address)
        try:
            yield
        except failures:
            self.count_failure(address)
            raise

    def check_address(self, address: str | None) -> None:
        """Let a request of a client's address pass, or not, before its signature costs anything.

        Raises:
            RateExceeded: too many signatures from there were wrong.
            LedgerUnavailable: the storage is away.
        """
        allowance = self._allowance(self._failures, subscriber(address), granted=False)
        if allowance.remaining <= 0:
            raise RateExceeded(allowance)

    def count_failure(self, address: str | None) -> None:
        """Note a wrong signature. The address is refused once the window is full, until its oldest has left it."""
        with ledger_errors():
            self._windows.hit(self._failures, subscriber(address))

    def _allowance(self, item: RateLimitItem, name: str, *, granted: bool) -> Allowance:
        with ledger_errors():
            window = self._windows.get_window_stats(item, name)
        return Allowance(
            granted=granted,
            limit=item.amount,
            remaining=window.remaining,
            frees_at_seconds=window.reset_time,
        )


def redis_storage(client: Redis, *, key_prefix: str = KEY_PREFIX) -> Storage:
    """Windows in the ledger's server, over the connections of a client from `jobs.ledger.redis.client.connect`."""
    return RedisStorage("redis://", connection_pool=client.connection_pool, key_prefix=f"{key_prefix}rate")
