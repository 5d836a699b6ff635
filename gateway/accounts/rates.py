"""How often an account may ask."""

import math
from enum import StrEnum

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.accounts.windows import Allowance, Windows
from cutgate.gateway.settings import GatewaySettings


class Rate(StrEnum):
    """What a request is counted as; each has a window of its own."""

    SUBMIT = "submit"
    POLL = "poll"


class TooOften(Exception):
    """A limit in time is reached."""

    def __init__(self, reason: str, frees_in_seconds: float) -> None:
        super().__init__(reason)
        #: Seconds after which a request can be granted again, at least 1.
        self.retry_after_seconds = max(1, math.ceil(frees_in_seconds))


class RateExceeded(TooOften):
    """Too many requests of an account."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__(f"the limit is {allowance.limit} requests a second", allowance.frees_in_seconds)


class RequestLimits:
    """Counts requests of accounts."""

    def __init__(self, windows: Windows, settings: GatewaySettings) -> None:
        """Use windows; the settings have the rates where an account's terms name none."""
        self._windows = windows
        self._rates = {Rate.SUBMIT: settings.submits_per_second, Rate.POLL: settings.polls_per_second}

    def take(self, account: str, terms: Terms, rate: Rate, weight: int = 1) -> Allowance:
        """Count a request of an account, if there is room for it.

        Args:
            account: who asks.
            terms: the account's own rates.
            rate: which of them.
            weight: how many requests it counts as, all of a window at most.

        Raises:
            LedgerUnavailable: the windows are away.
        """
        own = {Rate.SUBMIT: terms.submits_per_second, Rate.POLL: terms.polls_per_second}[rate]
        return self._windows.take(f"{rate}:{account}", limit=own or self._rates[rate], seconds=1, weight=weight)
