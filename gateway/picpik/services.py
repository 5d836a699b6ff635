"""Arguments that the handlers of actions share."""

from dataclasses import dataclass, field

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.gateway.waiting.callers import WaitingCallers
from cutgate.jobs.ports import Ledger
from cutgate.jobs.spec import ModelChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class PicpikParts:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    waiting: WaitingCallers
    store: Ledger
    choice: ModelChoice
    """What new pictures ask for, unless their account asks for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the signature was found right."""

    credential: Credential
    signature: str = field(repr=False)
    """As presented."""
    base_url: str
    """Scheme and host in front of result paths."""
    entry: Entry
    """The request as one that counts."""
    wants_events: bool = False
    """Whether a stream of events is accepted as the answer."""

    @property
    def account(self) -> Account:
        """Whose the pair is."""
        return self.credential.account
