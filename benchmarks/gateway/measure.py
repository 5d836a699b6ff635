"""Runs of one kind of request, and what they cost each side."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

from benchmarks.gateway.clients import Sent, Unexpected, send_all
from benchmarks.gateway.live import Gateway
from benchmarks.gateway.requests import Request
from benchmarks.gateway.rows import Cast, Row


@dataclass(frozen=True, slots=True)
class Run:
    """Requests of one kind, sent once; processor time in microseconds for each."""

    sent: Sent
    gateway_us: float
    server_us: float
    clients_us: float


@dataclass(slots=True)
class Side:
    """A gateway that is measured, its accounts, and the process that its clients are in."""

    gateway: Gateway
    cast: Cast
    clients: Executor
    rested_at: float = 0
    """When every account may send a second's worth of requests at once again, on the monotonic clock."""

    def run(self, row: Row, requests: int, connections: int) -> Run:
        """Send the requests of a row; raises Unexpected where one is not answered as the row says."""
        made = row.make(self.cast, row.count(requests))
        if row.repeated:
            self._rest()
            self._send(row, made, connections)
        with row.beside(self.gateway, self.cast.others) if row.beside else nullcontext():
            self._rest()
            gateway, server = self.gateway.cpu_seconds(), self.gateway.server_cpu_seconds()
            sent = self._send(row, made, connections)
            gateway, server = self.gateway.cpu_seconds() - gateway, self.gateway.server_cpu_seconds() - server
        if row.or_else is not None and sent.others > sent.seconds + 2:
            raise Unexpected(f"{sent.others} of {len(made)} requests of `{row.name}` were accepted")
        return Run(sent, *(seconds / len(made) * 1e6 for seconds in (gateway, server, sent.cpu_seconds)))

    def _rest(self) -> None:
        time.sleep(max(0, self.rested_at - time.monotonic()))

    def _send(self, row: Row, made: Sequence[Request], connections: int) -> Sent:
        arguments = (self.gateway.port, made, min(connections, len(made)), row.expected, row.or_else)
        sent = self.clients.submit(send_all, *arguments).result()
        self.rested_at = time.monotonic() + self.cast.rest_seconds(len(made))
        return sent


@dataclass(frozen=True, slots=True)
class Figures:
    """Runs of one kind together: processor time as their median, so that one busy moment does not count."""

    gateway_us: float
    server_us: float
    clients_us: float
    a_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Self:
        """The figures of at least one run."""
        took = [seconds for run in runs for seconds in run.sent.took_seconds]
        cuts = statistics.quantiles(took, n=100, method="inclusive")
        return cls(
            gateway_us=statistics.median(run.gateway_us for run in runs),
            server_us=statistics.median(run.server_us for run in runs),
            clients_us=statistics.median(run.clients_us for run in runs),
            a_second=len(took) / sum(run.sent.seconds for run in runs),
            p50_ms=cuts[49] * 1e3,
            p99_ms=cuts[98] * 1e3,
        )


def in_turn(sides: Sequence[Side], row: Row, requests: int, connections: int, rounds: int) -> list[Figures]:
    """The figures of each side, whose runs take turns; each begins every other round."""
    runs: list[list[Run]] = [[] for _ in sides]
    numbers = range(len(sides))
    for turn in range(rounds):
        for number in reversed(numbers) if turn % 2 else numbers:
            runs[number].append(sides[number].run(row, requests, connections))
    return [Figures.of(of_side) for of_side in runs]
