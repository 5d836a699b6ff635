"""Rates of requests per account."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.answers import Allowance, Outlook
from cutgate.jobs.errors import QueueFull
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import AccountCaps, KnownKey, RateUse

T = TypeVar("T")

_NO_CAPS: Final = AccountCaps()

RETRY_AFTER_SECONDS: Final = 2
"""When a repeat may help where nobody knows: a part is down, or a place is taken."""


class Rate(StrEnum):
    """What a request is counted as; each is counted apart."""

    SUBMIT = "submit"
    POLL = "poll"


class TooOften(Exception):
    """A limit in time is reached."""

    def __init__(self, reason: str, frees_in_seconds: float) -> None:
        super().__init__(reason)
        #: Seconds after which a request can be granted again, at least 1.
        self.retry_after_seconds = max(1, math.ceil(frees_in_seconds))


def known_retry_seconds(error: Exception) -> int | None:
    """After how many seconds a repeat may help: a rate knows when it frees, a full queue its pace; else None."""
    return error.retry_after_seconds if isinstance(error, TooOften | QueueFull) else None


class RateExceeded(TooOften):
    """The account sends too many requests."""

    def __init__(self, use: RateUse, allowance: Allowance) -> None:
        super().__init__(f"the limit is {use.limit} requests in {use.seconds} s", allowance.frees_in_seconds)
        #: What the rate says of the request.
        self.allowance = allowance


class KeyChanged(Exception):
    """A key or its account is not any more what it was when the request was checked; nothing was done."""


def with_known_key(answer: Callable[[bool], T]) -> T:
    """What `answer` gives, told whether keys that are remembered will do, since it has the ledger confirm them.

    Where one has changed since, `answer` is called again and told to read it.
    """
    with suppress(KeyChanged):  # not handled: what is raised later would keep the first call's request in memory
        return answer(True)
    return answer(False)


@dataclass(slots=True, kw_only=True)
class Entry:
    """A request of an account: it counts once, with whatever the ledger is asked first for it."""

    account: str
    use: RateUse
    key: KnownKey | None = None
    """What is known of its key from before, for the ledger to confirm."""
    allowance: Allowance | None = None
    """Once it is counted."""

    def answered(self, outlook: Outlook) -> None:
        """Take what the ledger says of it.

        Raises:
            KeyChanged: `key` is no longer so.
            RateExceeded: it is one too many.
        """
        if outlook.key_changed:
            raise KeyChanged("the key or its account was changed meanwhile")
        self.allowance = outlook.allowance
        if self.allowance is not None and not self.allowance.granted:
            raise RateExceeded(self.use, self.allowance)


class RequestLimits:
    """Counts requests of accounts."""

    def __init__(self, store: Ledger, settings: GatewaySettings) -> None:
        """Use a ledger; the settings have the rates where an account's terms name none."""
        self._store = store
        self._rates = {Rate.SUBMIT: settings.submits_per_second, Rate.POLL: settings.polls_per_second}
        self._queue_cap = settings.account_queue_cap

    def entry(self, account: Account, rate: Rate, weight: int = 1) -> Entry:
        """A request that is still to be counted.

        The burst is a whole queue of pictures: the queue's cap is what bounds an import, not its rate.

        Args:
            account: who asks.
            rate: what it is counted as.
            weight: how many requests it counts as, all places of the rate at most.
        """
        own = account.terms.submits_per_second if rate is Rate.SUBMIT else account.terms.polls_per_second
        per_second = own or self._rates[rate]
        seconds = math.ceil((account.terms.queue_cap or self._queue_cap) / per_second)
        burst = per_second * seconds
        use = RateUse(name=f"{rate}:{account.name}", limit=burst, seconds=seconds, weight=min(weight, burst))
        return Entry(account=account.name, use=use, key=account.known_key)

    def count(self, entry: Entry) -> None:
        """Count a request, unless it is counted.

        Raises:
            KeyChanged: what was known of its key is no longer so.
            RateExceeded: it is one too many.
            LedgerUnavailable: the ledger is away.
        """
        if entry.allowance is None:
            entry.answered(self._store.tasks.look(entry.account, caps=_NO_CAPS, use=entry.use, key=entry.key))


def rate_headers(allowance: Allowance) -> Mapping[str, str]:
    """What a client needs to slow down before it is refused."""
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(math.ceil(allowance.frees_at_seconds)),
    }
