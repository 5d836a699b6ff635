"""Prices in the protocol's credits, of which one is several of the account's."""

from dataclasses import dataclass
from typing import Any, Final

from cutgate.gateway.accounts.accounts import UNMETERED_CREDITS
from cutgate.gateway.removebg.fields import PREVIEWS, SIZES
from cutgate.jobs.answers import Balance

PREVIEWS_PER_CREDIT: Final = 4
"""Pictures of size `preview` for one credit, the price of any other picture: remove.bg's own price list."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """An account's prices."""

    preview_price: int
    """In the account's credits."""

    def of_size(self, size: str) -> int:
        """The price of a picture in the account's credits."""
        return self.preview_price * (1 if size in PREVIEWS else PREVIEWS_PER_CREDIT)

    def credits(self, account_credits: int) -> float:
        """The protocol's credits that some of the account's are; 0 where pictures cost nothing."""
        return account_credits / (self.preview_price * PREVIEWS_PER_CREDIT) if self.preview_price else 0

    def sizes_for(self, size: str, pixels: int | None) -> tuple[str, ...]:
        """What a size may stand for, the first that can be paid; `pixels` is None where no picture is here yet."""
        if size != "auto":
            return (size,)
        fits = pixels is not None and pixels <= SIZES["preview"]
        return ("preview",) if fits else ("full", "preview")

    def account(self, balance: Balance | None) -> dict[str, Any]:
        """The account as `/account` shows it; `balance` is None if it is unmetered.

        Clients hand these names on as they are: no more and no fewer may be there.
        """
        available = UNMETERED_CREDITS if balance is None else max(0, balance.available)
        left = shown(self.credits(available) if self.preview_price else available)
        attributes = {
            "credits": {"total": left, "subscription": 0, "payg": left, "enterprise": 0},
            "api": {"free_calls": 0, "sizes": "all"},
        }
        return {"data": {"attributes": attributes}}


def shown(amount: float) -> float | int:
    """Credits as they are written, as short as they can be: clients read whole numbers where there are some."""
    rounded = round(amount, 4)
    return int(rounded) if rounded == int(rounded) else rounded
