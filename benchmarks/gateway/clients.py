"""Callers over plain sockets: they cost little, and run in a process whose processor time is counted apart."""

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from benchmarks.gateway.requests import Request

_HOST: Final = "127.0.0.1"


class Unexpected(RuntimeError):
    """An answer is not what a row of the benchmark is about."""


@dataclass(slots=True)
class Sent:
    """What came of requests."""

    seconds: float = 0.0
    """For all of them."""
    cpu_seconds: float = 0.0
    """That the clients used themselves."""
    took_seconds: list[float] = field(default_factory=list)
    """Of each, from its first byte to the answer's last."""
    others: int = 0
    """How many were not answered as expected but as they may be instead."""


def send(
    port: int, requests: Sequence[Request], expected: bytes = b'"RetCode":0', or_else: bytes | None = None
) -> Sent:
    """Send requests one after the other over one connection.

    Raises Unexpected where an answer holds neither what is expected nor what some may hold instead.
    """
    sent = Sent()
    with socket.create_connection((_HOST, port)) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            started = time.perf_counter()
            connection.sendall(b"".join((request.head, request.picture, request.tail)))
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if not line:
                    raise Unexpected("the gateway closed the connection")
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answer = answers.read(length)
            sent.took_seconds.append(time.perf_counter() - started)
            if expected not in answer:
                if or_else is None or or_else not in answer:
                    raise Unexpected(f"not {expected.decode()}: {answer[:500].decode()}")
                sent.others += 1
    return sent


def send_all(
    port: int,
    requests: Sequence[Request],
    connections: int,
    expected: bytes = b'"RetCode":0',
    or_else: bytes | None = None,
) -> Sent:
    """Send requests over several connections at once, a thread for each."""
    barrier = threading.Barrier(connections + 1)

    def part(number: int) -> Sent:
        barrier.wait()
        return send(port, requests[number::connections], expected, or_else)

    with ThreadPoolExecutor(connections) as pool:
        parts = [pool.submit(part, number) for number in range(connections)]
        barrier.wait()
        started, used = time.perf_counter(), time.process_time()
        all_sent = [future.result() for future in parts]
        return Sent(
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - used,
            took_seconds=[seconds for sent in all_sent for seconds in sent.took_seconds],
            others=sum(sent.others for sent in all_sent),
        )
