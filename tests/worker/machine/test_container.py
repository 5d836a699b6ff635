"""What a container may use: its share of the CPU and its memory, of either version of control groups."""

import os
from pathlib import Path

import pytest

from cutgate.worker.machine.container import cpu_quota, memory_limit_bytes

USABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MACHINE_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

pytestmark = pytest.mark.needs("two processors")


def groups(root: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    """A made-up tree of control groups and the kernel's list for a process in it."""
    tree = root / "cgroup"
    tree.mkdir()
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    listing = root / "membership"
    listing.write_text(membership, encoding="utf-8")
    return tree, listing


V2_INSIDE = "0::/\n"
V2_OUTSIDE = "0::/system.slice/worker.service\n"
V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"

CPU_CASES = {
    "v2, one processor": ({"cpu.max": "100000 100000"}, V2_INSIDE, 1),
    "v2, a fraction is dropped": ({"cpu.max": "190000 100000"}, V2_INSIDE, 1),
    "v2, less than one": ({"cpu.max": "20000 100000"}, V2_INSIDE, 1),
    "v2, unlimited": ({"cpu.max": "max 100000"}, V2_INSIDE, USABLE),
    "v2, more than the machine has": ({"cpu.max": f"{(USABLE + 4) * 100000} 100000"}, V2_INSIDE, USABLE),
    "v2, the parent's limit": (
        {"system.slice/worker.service/cpu.max": "max 100000", "system.slice/cpu.max": "100000 100000"},
        V2_OUTSIDE,
        1,
    ),
    "v1, seen from outside": (
        {
            "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "100000",
            "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
        },
        V1,
        1,
    ),
    "v1, seen from inside": ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "50000"}, V1, 1),
    "v1, unlimited": ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, V1, USABLE),
    "nothing there": ({}, "", USABLE),
    "damaged": ({"cpu.max": "many 100000"}, V2_INSIDE, USABLE),
}


@pytest.mark.parametrize(("files", "membership", "expected"), CPU_CASES.values(), ids=CPU_CASES)
def test_cpu_quota(tmp_path: Path, files: dict[str, str], membership: str, expected: int) -> None:
    assert cpu_quota(*groups(tmp_path, files, membership)) == expected


MEMORY_CASES = {
    "v2": ({"memory.max": "1073741824"}, V2_INSIDE, 2**30),
    "v2, unlimited": ({"memory.max": "max"}, V2_INSIDE, MACHINE_BYTES),
    "v1": ({"memory/docker/abc/memory.limit_in_bytes": "1073741824"}, V1, 2**30),
    "v1, unlimited": ({"memory/memory.limit_in_bytes": "9223372036854771712"}, V1, MACHINE_BYTES),
}


@pytest.mark.parametrize(("files", "membership", "expected"), MEMORY_CASES.values(), ids=MEMORY_CASES)
def test_memory_limit(tmp_path: Path, files: dict[str, str], membership: str, expected: int) -> None:
    assert memory_limit_bytes(*groups(tmp_path, files, membership)) == expected


def test_without_a_list_of_memberships_the_root_counts(tmp_path: Path) -> None:
    tree, listing = groups(tmp_path, {"cpu.max": "100000 100000"}, "")
    listing.unlink()
    assert cpu_quota(tree, listing) == 1
