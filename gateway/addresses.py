"""What stands for a client where clients are counted by address."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_IPV6_HOST_BITS: Final = 64
"""One subscriber of IPv6 has at least so many bits to choose addresses from."""
_UNKNOWN_ADDRESS: Final = "unknown"


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
