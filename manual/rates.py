"""What a call counts as, in words."""

from typing import Final

from cutgate.gateway.accounts.rates import Rate

COUNTED: Final = {
    Rate.SUBMIT: "Counted as a request with pictures.",
    Rate.POLL: "Counted as any other request.",
}
