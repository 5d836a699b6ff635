"""Pictures that are gone take no memory."""

import os
import subprocess
import sys

import pytest

LEFT_MB = """
from pathlib import Path
from cutgate.gateway.serving.malloc import give_back_large_blocks

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

give_back_large_blocks()
before = resident_mb()
first = bytearray(20_000_000)
del first  # as the first large picture of a process: it raises the threshold that is not fixed
pictures = [bytearray(b"x") * 13_000_000 for _ in range(8)]
above_them = [bytearray(2_000) for _ in range(1_000)]
del pictures
print(resident_mb() - before)
"""


@pytest.mark.needs("glibc")
@pytest.mark.parametrize(
    ("chosen", "least", "most"),
    [({}, -10, 20), ({"MALLOC_MMAP_THRESHOLD_": str(2**25)}, 90, 120)],
    ids=["ours", "the operator's"],
)
def test_large_blocks_go_back_to_the_system(chosen: dict[str, str], least: int, most: int) -> None:
    command = [sys.executable, "-c", LEFT_MB]
    done = subprocess.run(command, env=os.environ | chosen, capture_output=True, text=True, check=True)
    assert least < float(done.stdout) < most
