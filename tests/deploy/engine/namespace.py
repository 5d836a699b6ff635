"""A network namespace with a way out, so that an engine's ports, bridges and rules meet nobody else's."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME: Final = "cutgate-check"
HERE: Final = "10.213.7.1"
THERE: Final = "10.213.7.2"
"""Addresses of this machine and of the namespace on the wire between the two."""
ENTER: Final = ("nsenter", f"--net=/run/netns/{NAME}")
"""Not `ip netns exec`, which mounts /sys anew, and the control groups are gone."""
_WIRE: Final = ("cg-check", "cg-check-in")
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
_RULES: Final = (
    ("-t", "nat", "{}", "POSTROUTING", "-s", f"{THERE}/32", "!", "-o", _WIRE[0], "-j", "MASQUERADE"),
    ("{}", "FORWARD", "-i", _WIRE[0], "-j", "ACCEPT"),
    ("{}", "FORWARD", "-o", _WIRE[0], "-j", "ACCEPT"),
)


@contextmanager
def namespace(environment: Mapping[str, str]) -> Iterator[None]:
    """Make the namespace and the wire, and take them away again with the rules that they need.

    Args:
        environment: finds iptables.
    """

    def run(*command: str, check: bool = True) -> None:
        subprocess.run(command, env=environment, check=check, capture_output=not check)

    def change_rules(action: str, *, check: bool) -> None:
        for rule in _RULES:
            run("iptables", *(action if word == "{}" else word for word in rule), check=check)

    def remove() -> None:
        change_rules("-D", check=False)
        run("ip", "netns", "delete", NAME, check=False)
        run("ip", "link", "delete", _WIRE[0], check=False)

    remove()  # what a run that was killed has left
    forwarded = _FORWARDING.read_text(encoding="ascii")
    try:
        run("ip", "netns", "add", NAME)
        run("ip", "link", "add", _WIRE[0], "type", "veth", "peer", "name", _WIRE[1], "netns", NAME)
        run("ip", "addr", "add", f"{HERE}/30", "dev", _WIRE[0])
        run("ip", "link", "set", _WIRE[0], "up")
        run("ip", "-n", NAME, "addr", "add", f"{THERE}/30", "dev", _WIRE[1])
        run("ip", "-n", NAME, "link", "set", _WIRE[1], "up")
        run("ip", "-n", NAME, "link", "set", "lo", "up")
        run("ip", "-n", NAME, "route", "add", "default", "via", HERE)
        change_rules("-I", check=True)
        _FORWARDING.write_text("1", encoding="ascii")
        yield
    finally:
        _FORWARDING.write_text(forwarded, encoding="ascii")
        remove()
