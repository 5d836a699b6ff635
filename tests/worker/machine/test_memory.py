"""Memory of the worker's process: what is measured, and that it stays level."""

import mmap
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutgate.worker.machine.memory import resident_bytes
from cutgate.worker.settings import NetworkSettings

ROOT = Path(__file__).parents[3]
BLOCK_BYTES = 64 * 2**20
LEVEL_MIB = 8.0


def test_the_resident_size_follows_what_is_held() -> None:
    before = resident_bytes()
    with mmap.mmap(-1, BLOCK_BYTES) as block:  # not from a heap, which may have room left
        for page in range(0, BLOCK_BYTES, mmap.PAGESIZE):
            block[page] = 1
        held = resident_bytes()
    after = resident_bytes()
    assert before is not None
    assert held is not None
    assert after is not None
    assert held - before > BLOCK_BYTES * 0.9
    assert held - after > BLOCK_BYTES * 0.9


def test_a_large_picture_does_not_count_against_a_child_for_ever() -> None:
    # In a fork, as a worker's child is one: a process started by exec keeps the peak of the one that started it.
    code = (
        "import os, resource; from cutgate.worker.machine.memory import forget_peak\n"
        "def peak_kib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "if os.fork():\n"
        "    os.wait()\n"
        "else:\n"
        f"    block = bytearray(b'x') * {BLOCK_BYTES * 2}; del block\n"
        "    before = peak_kib(); forget_peak(); print((before - peak_kib()) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert int(done.stdout) > BLOCK_BYTES


@pytest.mark.long
def test_sixty_pictures_take_no_more_than_thirty(tiny_settings: NetworkSettings) -> None:
    options = ["--items", "60", "--model", "tiny", "--largest", "2", "--plain"]
    command = [sys.executable, "-m", "benchmarks.memory", *options]
    environment = os.environ | {
        "CUTGATE_MODELS_DIR": str(tiny_settings.models_dir),
        "CUTGATE_CACHE_DIR": str(tiny_settings.cache_dir),
        "CUTGATE_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    second, last = map(float, re.findall(r"([\d.]+) MiB", done.stdout))
    assert last - second < LEVEL_MIB, done.stdout
