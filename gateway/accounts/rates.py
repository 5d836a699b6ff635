"""Admits requests: credentials that have not changed, as many requests of an account as its rates allow."""

import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.addresses import subscriber
from cutgate.gateway.settings import GatewaySettings, half
from cutgate.jobs.answers import Allowance, Outlook
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.observe import logs
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import AccountCaps, KnownKey, RateUse

C = TypeVar("C")
T = TypeVar("T")

_NO_CAPS: Final = AccountCaps()
_LET_IN: Final = "cutgate.let-in"
"""Name in a request's environment of its account and rate, once it was counted."""


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


class RateExceeded(TooOften):
    """The account sends too many requests."""

    def __init__(self, use: RateUse, allowance: Allowance) -> None:
        super().__init__(f"the limit is {use.limit} requests in {use.seconds} s", allowance.frees_in_seconds)
        #: What the rate says of the request.
        self.allowance = allowance


class KeyChanged(Exception):
    """A credential or its account is not any more what it was when the request was checked; nothing was done."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """A request of an account: it counts once, with whatever the ledger is asked first for it."""

    account: str
    use: RateUse
    key: KnownKey | None = None
    """Its credential as it was found before, for the ledger to confirm."""
    allowance: Allowance | None = None
    """Once it is counted."""

    def weigh(self, weight: int) -> None:
        """Have it count as so many requests, all places of the rate at most."""
        self.use = replace(self.use, weight=min(weight, self.use.limit))

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

    @staticmethod
    def admitted(find: Callable[[bool], C], answer: Callable[[C], T]) -> T:
        """What `answer` gives to whoever `find` finds.

        Args:
            find: finds who asks; from memory, if it is told that the ledger confirms the credential.
            answer: is called again, with what is stored, where the ledger found that a credential has changed.
        """
        # Not handled: what is raised later would keep the first call's request in memory.
        with suppress(KeyChanged):
            return answer(find(True))
        return answer(find(False))

    def let_in(
        self,
        environ: MutableMapping[str, Any],
        find: Callable[[bool], Credential],
        entry_of: Callable[[Credential], Entry],
    ) -> tuple[Account, Allowance | None]:
        """Count a request, before its body has come, once; its account, and what the rate says of it.

        Args:
            environ: of the request, which is called again once its body has come.
            find: finds who asks, as `admitted` calls it; what it raises comes from here.
            entry_of: makes the entry that is counted.

        Raises:
            RateExceeded: it is one too many.
            LedgerUnavailable: the ledger is away.
        """

        def counted(credential: Credential) -> tuple[Account, Allowance | None]:
            entry = entry_of(credential)
            self.count(entry)
            return credential.account, entry.allowance

        if _LET_IN not in environ:
            environ[_LET_IN] = self.admitted(find, counted)
        account: Account
        account, allowance = environ[_LET_IN]
        logs.bind(account=account.name)
        return account, allowance

    @contextmanager
    def counting(self, credential: Credential, rate: Rate) -> Iterator[Entry]:
        """A block that answers a request and has it counted with what it asks the ledger first, or by `count`.

        A request that fails before counts as well.
        """
        entry = self.entry(credential, rate)
        try:
            yield entry
        except (KeyChanged, LedgerUnavailable):
            raise
        except Exception:
            self.count(entry)
            raise

    def entry(self, credential: Credential, rate: Rate) -> Entry:
        """A request that is still to be counted.

        The burst is a whole queue of pictures: the queue's cap is what bounds an import, not its rate.
        """
        terms = credential.account.terms
        own = terms.submits_per_second if rate is Rate.SUBMIT else terms.polls_per_second
        per_second = own or self._rates[rate]
        seconds = math.ceil((terms.queue_cap or self._queue_cap) / per_second)
        name = credential.account.name
        use = RateUse(name=f"{rate}:{name}", limit=per_second * seconds, seconds=seconds)
        return Entry(account=name, use=use, key=credential.known_key)

    def count(self, entry: Entry) -> None:
        """Count a request, unless it is counted.

        Raises:
            KeyChanged: what was known of its key is no longer so.
            RateExceeded: it is one too many.
            LedgerUnavailable: the ledger is away.
        """
        if entry.allowance is None:
            entry.answered(self._store.tasks.look(entry.account, caps=_NO_CAPS, use=entry.use, key=entry.key))

    def count_address(self, entry: Entry, address: str | None) -> None:
        """Count a request without a key for its address, too, which has half of the account's rate.

        Raises:
            RateExceeded: it is one too many.
            LedgerUnavailable: the ledger is away.
        """
        name = f"{entry.use.name}:{subscriber(address)}"
        use = replace(entry.use, name=name, limit=half(entry.use.limit))
        allowance = self._store.accounts.take_rate(use)
        if not allowance.granted:
            raise RateExceeded(use, allowance)


def rate_headers(allowance: Allowance) -> Mapping[str, str]:
    """What a client needs to slow down before it is refused."""
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(math.ceil(allowance.frees_at_seconds)),
    }
