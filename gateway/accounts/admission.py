"""Admits a request once, before its body has come, and remembers that for when it has."""

from collections.abc import Callable, MutableMapping
from typing import Any, Final, cast

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry, RequestLimits
from cutgate.jobs.answers import Allowance
from cutgate.jobs.observe import logs

_LET_IN: Final = "cutgate.let-in"
"""Name in a request's environment of its account and rate, once it was counted."""

LetIn = tuple[Account, Allowance | None]


def let_in(
    environ: MutableMapping[str, Any],
    limits: RequestLimits,
    find: Callable[[bool], Credential],
    entry_of: Callable[[Credential], Entry],
) -> LetIn:
    """Count a request unless it is counted; its account, and what the rate says of it.

    Args:
        environ: of the request, which is called again once its body has come.
        limits: count it.
        find: finds who asks, as `RequestLimits.admitted` calls it.
        entry_of: makes the entry that is counted.

    Raises:
        RateExceeded: it is one too many.
        LedgerUnavailable: the ledger is away.
        Exception: whatever `find` raises.
    """

    def counted(credential: Credential) -> LetIn:
        entry = entry_of(credential)
        limits.count(entry)
        return credential.account, entry.allowance

    if _LET_IN not in environ:
        environ[_LET_IN] = limits.admitted(find, counted)
    account, allowance = cast("LetIn", environ[_LET_IN])
    logs.bind(account=account.name)
    return account, allowance
