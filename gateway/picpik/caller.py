"""Who asks for an action."""

from dataclasses import dataclass, field

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry


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
