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

FAULTS_OF_SMALL = """
import resource
import threading
from cutgate.gateway.serving.malloc import give_back_large_blocks

def bodies():
    for _ in range(50):
        blocks = [bytearray(b"x") * 1_400_000 for _ in range(3)]

give_back_large_blocks()
thread = threading.Thread(target=bodies)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
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


@pytest.mark.needs("glibc")
def test_bodies_in_memory_use_the_same_pages_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS_OF_SMALL], capture_output=True, text=True, check=True)
    pages_of_one_round = 3 * 1_400_000 // os.sysconf("SC_PAGE_SIZE")
    assert int(done.stdout) < 10 * pages_of_one_round
