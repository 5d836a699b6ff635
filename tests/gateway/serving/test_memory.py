"""What callers that nobody knows can make a gateway hold in memory."""

import socket
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
