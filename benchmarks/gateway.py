"""Measure the gateway alone: how many submits it takes in a second, and how much memory large pictures leave it.

    python -m benchmarks.gateway [--connections N] [--processes N] [--requests N]
    python -m benchmarks.gateway --memory

Server and gateway are the real ones, on an empty data folder and without workers; everything is switched on:
signatures, request rates, credits, caps, idempotency, blobs, hints. Requests are signed before the clock starts.
"""

import argparse
import base64
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from cutgate.local.stack import claim_port, scratch_environment
from cutgate.signing import sign_params

HOST: Final = "127.0.0.1"
RATE: Final = "100000"
"""Far above what is measured; every request is counted all the same."""
START_SECONDS: Final = 20
WARM_UP: Final = 100

MEMORY_REQUESTS: Final = 200
MEMORY_BASE_REQUESTS: Final = 20
MEMORY_CONNECTIONS: Final = 8
MEMORY_GROWTH_MB: Final = 100
"""The growth between the two that passes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of random pixels, and how many submits of it are measured."""

    name: str
    side_px: int
    requests: int

    def data(self) -> bytes:
        """Its bytes: stored without compression, so that the side decides the size."""

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

        header = struct.pack(">IIBBBBB", self.side_px, self.side_px, 8, 2, 0, 0, 0)
        rows = b"".join(b"\0" + os.urandom(3 * self.side_px) for _ in range(self.side_px))
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + chunks


@dataclass(frozen=True, slots=True)
class Request:
    """A signed request as it goes over the wire; the picture in the middle is shared between requests."""

    head: bytes
    picture: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that serves, and an account of it."""

    port: int
    pid: int
    public_key: str
    private_key: str
    api_key: str
    """Of the same account."""
    environment: Mapping[str, str]
    """What it runs on."""

    def requests(self, picture: Picture, count: int) -> list[Request]:
        """Signed submits of a picture, each with an id of its own."""
        text = base64.b64encode(picture.data()).decode("ascii")
        return [self._request(text) for _ in range(count)]

    def _request(self, text: str) -> Request:
        params = {
            "Action": "RemoveBackground",
            "PublicKey": self.public_key,
            "request_uuid": str(uuid.uuid4()),
            "RawImage": text,
        }
        others = {**params, "Signature": sign_params(params, self.private_key)}
        del others["RawImage"]
        front, back = b'{"RawImage":"', f'",{json.dumps(others)[1:]}'.encode()
        length = len(front) + len(text) + len(back)
        head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {length}"
        return Request(head.encode() + b"\r\n\r\n" + front, text.encode(), back)

    def resident_mb(self) -> float:
        """Resident memory of the gateway's processes together; what they share counts in each."""
        return sum(_resident_kb(pid) for pid in _tree(self.pid)) / 1024

    def threads(self) -> int:
        """Threads of the gateway's processes together."""
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in _tree(self.pid))

    def cpu_seconds(self) -> float:
        """Processor time that the gateway's processes have used so far."""
        return sum(_cpu_seconds(pid) for pid in _tree(self.pid))


@contextmanager
def live_gateway(processes: int, **settings: str) -> Iterator[Gateway]:
    """A gateway on an empty data folder; `settings` are environment variables on top."""
    port = claim_port(HOST, 0)
    with scratch_environment("gateway") as environment:
        environment |= {
            "CUTGATE_PROCESSES": str(processes),
            "CUTGATE_TOTAL_QUEUE_CAP": "1000000",
            "CUTGATE_LOG_FORMAT": "json",
            **settings,
        }
        keys = _command(
            environment,
            "keys",
            "add",
            "--credits",
            "1000000",
            "--queue-cap",
            "1000000",
            "--submits-per-second",
            RATE,
        )
        bearer = _command(environment, "keys", "add", "--runware", "--name", keys["account"])
        command = [sys.executable, "-m", "cutgate.gateway", "serve", "--host", HOST, "--port", str(port)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_until_alive(f"http://{HOST}:{port}/healthz")
                key_pair = keys["public_key"], keys["private_key"]
                yield Gateway(port, process.pid, *key_pair, bearer["api_key"], environment)
            finally:
                process.terminate()


def _command(environment: Mapping[str, str], *arguments: str) -> dict[str, str]:
    command = [sys.executable, "-m", "cutgate.gateway", *arguments, "--json"]
    done = subprocess.run(command, env=dict(environment), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def _wait_until_alive(url: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
        else:
            return


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _tree(int(child))


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _cpu_seconds(pid: int) -> float:
    # Behind the command's name, which may hold spaces; the 14th and 15th field of all are user and system time.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(port: int, requests: Sequence[Request]) -> list[float]:
    """Send requests one after the other over one connection; the seconds that each took.

    Raises:
        RuntimeError: one was not accepted.
    """
    took: list[float] = []
    with socket.create_connection((HOST, port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            started = time.perf_counter()
            if len(request.picture) < 2**14:
                connection.sendall(request.head + request.picture + request.tail)
            else:
                connection.sendall(request.head)
                connection.sendall(request.picture)
                connection.sendall(request.tail)
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if not line:
                    raise RuntimeError("the gateway closed the connection")
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = answers.read(length)
            took.append(time.perf_counter() - started)
            if b'"RetCode":0' not in answer:
                raise RuntimeError(f"not accepted: {answer.decode()}")
    return took


def send_all(port: int, requests: Sequence[Request], connections: int) -> tuple[float, list[float]]:
    """Send requests over several connections at once; the seconds for all, and for each."""
    barrier = threading.Barrier(connections + 1)

    def part(number: int) -> list[float]:
        barrier.wait()
        return send(port, requests[number::connections])

    with ThreadPoolExecutor(connections) as pool:
        parts = [pool.submit(part, number) for number in range(connections)]
        barrier.wait()
        started = time.perf_counter()
        took = [seconds for future in parts for seconds in future.result()]
        return time.perf_counter() - started, took


def measure_speed(pictures: Sequence[Picture], connections: int, processes: int) -> None:
    print(f"{connections} connections, gateway processes: {processes}, CPUs: {len(os.sched_getaffinity(0))}\n")
    print(f"{'picture':10} {'submits':>8} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms each':>12}")
    with live_gateway(processes) as gateway:
        send_all(gateway.port, gateway.requests(Picture("", 8, 0), WARM_UP), connections)
        for picture in pictures:
            requests = gateway.requests(picture, picture.requests)
            used = gateway.cpu_seconds()
            seconds, took = send_all(gateway.port, requests, connections)
            cpu_ms = (gateway.cpu_seconds() - used) / len(took) * 1e3
            cuts = statistics.quantiles(took, n=100)
            rate = len(took) / seconds
            times = f"{cuts[49] * 1e3:8.1f} {cuts[98] * 1e3:8.1f}"
            print(f"{picture.name:10} {len(took):8} {rate:11.0f} {times} {cpu_ms:12.2f}")


def measure_memory() -> bool:
    """Print how much large pictures leave behind; whether it is within bounds."""
    picture = Picture("10 MB", 1830, MEMORY_REQUESTS)
    with live_gateway(processes=1) as gateway:
        requests = gateway.requests(picture, picture.requests)
        print(f"{'submits of 10 MB':20} {'resident MB':>11}")
        print(f"{0:20} {gateway.resident_mb():11.0f}")
        sizes: list[float] = []
        for part in (requests[:MEMORY_BASE_REQUESTS], requests[MEMORY_BASE_REQUESTS:]):
            send_all(gateway.port, part, MEMORY_CONNECTIONS)
            sizes.append(gateway.resident_mb())
            print(f"{MEMORY_BASE_REQUESTS if len(sizes) == 1 else MEMORY_REQUESTS:20} {sizes[-1]:11.0f}")
    growth_mb = sizes[1] - sizes[0]
    print(f"growth {growth_mb:.0f} MB, at most {MEMORY_GROWTH_MB} MB pass")
    return growth_mb <= MEMORY_GROWTH_MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--connections", type=int, default=16, help="keep-alive connections (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="gateway processes (%(default)s)")
    parser.add_argument("--requests", type=int, default=5_000, help="submits of the small picture (%(default)s)")
    options = parser.parse_args()
    if options.memory:
        sys.exit(0 if measure_memory() else 1)
    pictures = (Picture("8 x 8 px", 8, options.requests), Picture("1 MB", 590, max(options.requests // 20, 100)))
    measure_speed(pictures, options.connections, options.processes)


if __name__ == "__main__":
    main()
