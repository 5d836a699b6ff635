"""What a call counts as, in words, where it is no poll."""

from typing import Final

from cutgate.gateway.accounts.rates import Rate

COUNTED: Final = {
    Rate.SUBMIT: " Counts as a submit.",
    Rate.POLL: "",
}
