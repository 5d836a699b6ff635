"""Finds the account behind an API key, and keeps out addresses that try keys."""

from dataclasses import dataclass
from typing import Final

import structlog

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.gateway.accounts.rates import RequestLimits
from cutgate.gateway.runware.messages import faults

_SCHEME: Final = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Lets callers in."""

    api_keys: ApiKeys
    limits: RequestLimits

    def account_of(self, api_key: object, address: str | None) -> Account:
        """The account that a key belongs to.

        Args:
            api_key: as it was sent; may be anything, or None.
            address: of the client; keys that are wrong count against it.

        Raises:
            KeyMissing: there is none.
            KeyUnknown: it is unknown or revoked.
            RateExceeded: too many keys from the address were wrong.
            LedgerUnavailable: the accounts are away.
        """
        if api_key is None or api_key == "":
            raise faults.KeyMissing
        with self.limits.counting_failures(address, (faults.KeyUnknown,)):
            account = self.api_keys.find(api_key) if isinstance(api_key, str) else None
            if account is None:
                raise faults.KeyUnknown
        structlog.contextvars.bind_contextvars(account=account.name)
        return account


def key_in_header(authorization: str | None) -> str | None:
    """The key of an `Authorization` header, where it has one."""
    if authorization is None or not authorization.lower().startswith(_SCHEME):
        return None
    return authorization[len(_SCHEME) :].strip()
