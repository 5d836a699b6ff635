"""What the actions' handlers are given."""

from dataclasses import dataclass, field, replace
from typing import Self

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.gateway.tasks.wait import Waits
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.presets import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    waits: Waits
    store: RedisLedger
    choice: Choice
    """What new pictures ask for."""
    unmetered_credits: int
    """What an account without a balance is told to have."""

    def for_account(self, account: Account, entry: Entry) -> Self:
        """The same on an account's own terms, for one request of it."""
        return replace(
            self,
            submissions=self.submissions.for_account(account, entry),
            choice=account.terms.choice(self.choice),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the signature was found right."""

    account: str
    public_key: str
    signature: str = field(repr=False)
    """As presented."""
    base_url: str
    """Scheme and host in front of result paths."""
    entry: Entry
    """The request as one that counts."""
