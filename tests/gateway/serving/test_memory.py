"""Tests of memory: what callers that nobody knows can make a gateway hold, and pictures that are gone."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.gateway.installation import Installation, LiveGateway

MIB = 2**20
CALLERS = 16
BODY_BYTES = 40 * MIB
BODIES = {
    "form": (b"Action=" + b"%41" * MIB, b"A", b"", "/", "application/x-www-form-urlencoded"),
    "JSON": (b'{"Action":"', rb"\u00e9", b'"}', "/", "application/json"),
    "plain JSON": (b'{"Action":"RemoveBackground","RawImage":"', b"A", b'"}', "/", "application/json"),
    "Runware": (b'[{"taskType":"x","a":"', rb"\u00e9", b'"}]', "/v1", "application/json"),
}
"""Begin, filling and end of a body that nobody has signed, its path and its media type."""


@pytest.fixture
def live(installation: Installation) -> Iterator[LiveGateway]:
    sizes = {"CUTGATE_MAX_BODY_BYTES": str(48 * MIB), "CUTGATE_MAX_BATCH_BODY_BYTES": str(256 * MIB)}
    with installation.serving(**sizes) as live:
        yield live


def _memory_bytes(pid: int, name: str) -> int:
    """One of the figures that the system keeps of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(value) * 1_024


def _post(live: LiveGateway, kind: str) -> bytes:
    begin, filling, end, path, media_type = BODIES[kind]
    body = begin + filling * ((BODY_BYTES - len(begin) - len(end)) // len(filling)) + end
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, _, port = live.address.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode())
        connection.sendall(body)
        return connection.recv(12)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux says of a process")
@pytest.mark.parametrize("kind", BODIES)
def test_sixteen_large_bodies_that_nobody_signed(live: LiveGateway, kind: str) -> None:
    pid = live.process.pid
    before_bytes = _memory_bytes(pid, "VmRSS")
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda _: _post(live, kind), range(CALLERS)))
    grown_bytes = _memory_bytes(pid, "VmHWM") - before_bytes
    assert {answer[:9] for answer in answers} == {b"HTTP/1.1 "}
    assert grown_bytes < 110 * MIB


# Pictures that are gone take no memory.

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
