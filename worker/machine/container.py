"""Limits of the container: processor time and memory.

Linux control groups are read in both versions. A process that sees the whole host's tree, and one that sees only
its own container's, both find the tightest limit: every group from the process's own up to the root counts.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_quota(groups: Path = _GROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Whole processors that this process may keep busy, at least 1.

    A fraction is dropped: a thread more than the quota pays for makes all of them wait for the throttled one.
    """
    shares = [float(_usable_processors())]
    for folder in _folders(groups, membership, "cpu"):
        shares.extend(_cpu_share(folder))
    return max(1, math.floor(min(shares)))


def memory_limit_bytes(groups: Path = _GROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Memory that this process may use: the tightest control group's, or the machine's."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _folders(groups, membership, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits.extend(_numbers(folder / name)[:1])
    return int(min(limits))


def _usable_processors() -> int:
    """Processors that the scheduler may place this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_share(folder: Path) -> list[float]:
    """The group's quota in processors, from `cpu.max` or the pair of files of version 1; empty if unlimited."""
    pair = _numbers(folder / "cpu.max") or (
        _numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us")
    )
    return [pair[0] / pair[1]] if len(pair) == 2 and min(pair) > 0 else []


def _numbers(path: Path) -> list[int]:
    """The whole numbers of a control file; empty where the file is not there or says `max`."""
    try:
        words = path.read_text(encoding="ascii").split()
        return [int(word) for word in words]
    except (OSError, ValueError):
        return []


def _folders(groups: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Every folder that may limit the process, from its own group up to the root, in both versions' places."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in (*lines, "0::/"):
        _, controllers, path = line.split(":", 2)
        if controllers:
            roots = [groups / controllers, groups / controller] if controller in controllers.split(",") else []
        else:
            roots = [groups, groups / "unified"]
        own = PurePosixPath(path.lstrip("/"))
        for root in roots:
            yield from (root / group for group in (own, *own.parents))
