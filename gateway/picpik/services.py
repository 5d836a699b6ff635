"""Arguments that the handlers of actions share."""

from dataclasses import dataclass, field

from cutgate.gateway.accounts.key_pairs import Signer
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.gateway.waiting.callers import WaitingCallers
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.presets import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    waiting: WaitingCallers
    store: RedisLedger
    choice: Choice
    """What new pictures ask for, unless their account asks for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the signature was found right."""

    owner: Signer
    """Of the key."""
    signature: str = field(repr=False)
    """As presented."""
    base_url: str
    """Scheme and host in front of result paths."""
    entry: Entry
    """The request as one that counts."""

    @property
    def account(self) -> str:
        """The account's name."""
        return self.owner.name
