"""Client addresses as quota keys, and quotas per key."""

from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_IPV6_HOST_BITS: Final = 64
"""One subscriber of IPv6 has at least so many bits to choose addresses from."""
_UNKNOWN_ADDRESS: Final = "unknown"
_ADDRESSES: Final = 4_096
"""How many are remembered: callers come again and again."""


@lru_cache(_ADDRESSES)
def subscriber(address: str | None) -> str:
    """What stands for everybody behind an address: of IPv6 the network that one subscriber has."""
    if address is None:
        return _UNKNOWN_ADDRESS
    try:
        parsed = ip_address(address)
    except ValueError:
        return _UNKNOWN_ADDRESS
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), _IPV6_HOST_BITS), strict=False).network_address)


class Places:
    """Places that are shared out, so many to each address, or account. Used by one thread."""

    def __init__(self, total: int, per_address: int) -> None:
        self._left, self._per_address = total, per_address
        self._taken: Counter[str | None] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def take(self, address: str | None) -> bool:
        """Take a place if there is one; None is for proxies, whose clients share one address."""
        if self._left <= 0 or (address is not None and self._taken[address] >= self._per_address):
            return False
        self._left -= 1
        self._taken[address] += 1
        return True

    def leave(self, address: str | None) -> None:
        """Give a place back."""
        self._left += 1
        self._taken[address] -= 1
        if not self._taken[address]:
            del self._taken[address]
