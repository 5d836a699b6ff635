"""A network namespace with a way out, so that an engine's ports, bridges and rules meet nobody else's."""

import fcntl
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
_LOCK: Final = Path("/run/cutgate-check.lock")
"""Held by the one run at a time that has the namespace."""
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
_RULES: Final = (
    ("-t", "nat", "{}", "POSTROUTING", "-s", f"{THERE}/32", "!", "-o", _WIRE[0], "-j", "MASQUERADE"),
    ("{}", "FORWARD", "-i", _WIRE[0], "-j", "ACCEPT"),
    ("{}", "FORWARD", "-o", _WIRE[0], "-j", "ACCEPT"),
)


@contextmanager
def namespace(environment: Mapping[str, str]) -> Iterator[None]:
    """Make the namespace and the wire, and take them away again with the rules that they need.

    Where another run has them, it waits for its end. `environment` finds iptables.
    """
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove(environment)  # what a run that was killed has left
        forwarded = _FORWARDING.read_text(encoding="ascii")
        try:
            _make(environment)
            _FORWARDING.write_text("1", encoding="ascii")
            yield
        finally:
            _FORWARDING.write_text(forwarded, encoding="ascii")
            _remove(environment)


def _make(environment: Mapping[str, str]) -> None:
    outer, inner = _WIRE
    for command in (
        ("ip", "netns", "add", NAME),
        ("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", NAME),
        ("ip", "addr", "add", f"{HERE}/30", "dev", outer),
        ("ip", "link", "set", outer, "up"),
        ("ip", "-n", NAME, "addr", "add", f"{THERE}/30", "dev", inner),
        ("ip", "-n", NAME, "link", "set", inner, "up"),
        ("ip", "-n", NAME, "link", "set", "lo", "up"),
        ("ip", "-n", NAME, "route", "add", "default", "via", HERE),
        *_rules("-I"),
    ):
        subprocess.run(command, env=environment, check=True)


def _remove(environment: Mapping[str, str]) -> None:
    """Take away whatever is there."""
    for command in (*_rules("-D"), ("ip", "netns", "delete", NAME), ("ip", "link", "delete", _WIRE[0])):
        subprocess.run(command, env=environment, check=False, capture_output=True)


def _rules(action: str) -> list[tuple[str, ...]]:
    """What adds or deletes the rules that let the namespace out."""
    return [("iptables", *(action if word == "{}" else word for word in rule)) for rule in _RULES]
