"""Which URLs may be called and which addresses connected to: public ones, and nothing else.

What an address is good for stands in IANA's registries of special-purpose addresses. The table below names what is
refused, with its reason; what it does not name must still be global unicast. Embedded IPv4 is no way around: its
carriers are refused whole, but for the well-known prefix of NAT64, which a host without IPv4 needs and which is
judged by the IPv4 address in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import httpx

from cutgate.courier.errors import ExchangeRefused, HostRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_CHARACTERS: Final = 4_096

_REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    # First where clouds answer with a machine's credentials: some of these lie in no other block.
    "metadata": (
        "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::/32", "fd20:ce::254",
    ),
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "carrier-grade NAT": ("100.64.0.0/10",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "broadcast": ("255.255.255.255/32",),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "benchmarking": ("198.18.0.0/15", "2001:2::/48"),
    "IPv4-mapped": ("::ffff:0:0/96",),
    "IPv4-translated": ("::ffff:0:0:0/96",),
    "IPv4-compatible": ("::/96",),
    "6to4": ("2002::/16", "192.88.99.0/24"),
    "Teredo": ("2001::/32",),
    "local NAT64": ("64:ff9b:1::/48",),
    "protocol assignments": ("192.0.0.0/24", "2001::/23"),
    "direct delegation": ("192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"),
    "reserved": ("240.0.0.0/4",),
}  # fmt: skip
"""Reason to blocks; the first that holds an address counts."""

_BLOCKS: Final[tuple[tuple[str, Network], ...]] = tuple(
    (reason, ip_network(block)) for reason, blocks in _REASONS.items() for block in blocks
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?")


def why_not_public(address: Address) -> str | None:
    """The reason why an address is refused; None for a public one."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "link-local"
    address = _carried(address)
    for reason, block in _BLOCKS:
        if address in block:
            return reason
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None if address.is_global else "reserved"


def _carried(address: Address) -> Address:
    """The IPv4 address that NAT64's well-known prefix carries; any other address as it is."""
    return IPv4Address(address.packed[-4:]) if address in _NAT64 else address


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideRules:
    """What may be called and connected to."""

    ports: frozenset[int]
    allowed: tuple[Network, ...] = ()
    """Networks that may be connected to although they are not public."""
    refused: tuple[Network, ...] = ()
    """Networks that may not be connected to although they are public; they go before those that are allowed."""

    def check_url(self, text: str) -> httpx.URL:
        """A URL that may be called, without its fragment, its host in ASCII; else `ExchangeRefused`."""
        if len(text) > MAX_URL_CHARACTERS:
            raise ExchangeRefused("url", f"the URL has more than {MAX_URL_CHARACTERS} characters")
        try:
            url = httpx.URL(text).copy_with(fragment=None)
            host = url.raw_host.decode("ascii")
        except (httpx.InvalidURL, ValueError):  # a port that is none is a ValueError, a zone beyond ASCII another
            raise ExchangeRefused("url", "the URL is malformed") from None
        if url.scheme not in {"http", "https"}:
            raise ExchangeRefused("url", "the URL is neither http nor https")
        if url.userinfo:
            raise ExchangeRefused("url", "the URL holds a user's name or a password")
        if not _is_host(host):
            raise ExchangeRefused("url", "the URL's host is malformed")
        if port_of(url) not in self.ports:
            raise ExchangeRefused("url", f"the URL's port {port_of(url)} is not one of those that may be called")
        return url

    def check_address(self, host: str, answer: str) -> Address:
        """Check one of the addresses that a host resolved to.

        Raises:
            HostRefused: it may not be connected to.
        """
        try:
            address = ip_address(answer)
        except ValueError:
            raise HostRefused(host, "malformed") from None
        if any(known in network for known in (address, _carried(address)) for network in self.refused):
            raise HostRefused(host, "an operator's own")
        if any(address in network for network in self.allowed):
            return address
        reason = why_not_public(address)
        if reason is not None:
            raise HostRefused(host, reason)
        return address


def _is_host(text: str) -> bool:
    """Whether a text is a name or an address; IPv4 in an old spelling reads as a name, and is resolved as one."""
    if ":" not in text:
        return _NAME.fullmatch(text) is not None
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def port_of(url: httpx.URL) -> int:
    """A URL's port, the one of its scheme where it names none."""
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80
