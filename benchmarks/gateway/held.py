"""Measure what callers that wait for their results cost others: PICPIK's submits, with and without them in turns.

    python -m benchmarks.gateway.held [--held N] [--rate N] [--seconds S] [--rounds N]

The callers ask for cut-outs of small pictures, each of another one, and no worker does them. The exit status is 1
where a submit beside them costs more than a tenth above one without them, in processor time or at p99.
"""

import argparse
import contextlib
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.gateway.clients import send
from benchmarks.gateway.live import HERE, HOST, Checkout, Gateway, live_gateway
from benchmarks.gateway.requests import Account, Picture, removal, waiting_removal
from benchmarks.machine import conditions, this_command
from benchmarks.pages import require_parts, table, write_part
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits

PART: Final = "gateway, held"
"""The place in the page that `--write` names."""
MOST: Final = 1.10
"""What a submit may cost beside callers that wait, over what it costs without them."""
_SMALL: Final = Picture(8)
_CONNECTIONS: Final = 8
_SETTLE_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 60.0
_TERMS: Final = ("--credits", "1000000", "--queue-cap", "1000000", "--submits-per-second", "100000")


@dataclass
class Side:
    """Of submits with callers that wait, or without."""

    cpu_us: list[float] = field(default_factory=list)
    """Of the gateway's processes, for a submit; one figure a round."""
    took_ms: list[float] = field(default_factory=list)
    """Of each submit."""

    def percentile_ms(self, hundredth: int) -> float:
        """What so many hundredths of the submits took at most."""
        return statistics.quantiles(self.took_ms, n=100)[hundredth - 1]


@dataclass(frozen=True)
class Scene:
    """A gateway, and its two callers."""

    gateway: Gateway
    submitter: Account
    waiter: Account

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """So many callers that wait, until the block ends: they then hang up, and nothing of theirs is left."""
        before = self._waiting()
        with ExitStack() as callers:
            for number in range(count):
                caller = callers.enter_context(socket.create_connection((HOST, self.gateway.port)))
                request = waiting_removal(self.waiter, Picture(8 + number))
                caller.sendall(request.head + request.picture + request.tail)
            self._until_waiting(before + count)
            yield
            left = self._waiting() - count
        self._until_waiting(left)

    def submit(self, rate: int, seconds: float, side: Side) -> None:
        """Send so many submits a second, and note what they cost."""
        requests = [removal(self.submitter, _SMALL) for _ in range(round(rate * seconds))]
        used = self.gateway.cpu_seconds()
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            parts = [requests[number::_CONNECTIONS] for number in range(_CONNECTIONS)]
            every_seconds = _CONNECTIONS / rate
            sent = list(pool.map(lambda part: send(self.gateway.port, part, every_seconds=every_seconds), parts))
        side.cpu_us.append((self.gateway.cpu_seconds() - used) / len(requests) * 1e6)
        side.took_ms += [took * 1e3 for part in sent for took in part.took_seconds]

    def _waiting(self) -> int:
        with contextlib.closing(connect(self.gateway.installation.environment["CUTGATE_REDIS_URL"])) as client:
            return sum(lane.waiting for lane in RedisLedger(client, LedgerLimits()).figures().lanes)

    def _until_waiting(self, count: int) -> None:
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while (waiting := self._waiting()) != count:
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{waiting} pictures wait instead of {count}")
            time.sleep(0.2)
        time.sleep(_SETTLE_SECONDS)


def measure(*, held: int, rate: int, seconds: float, rounds: int) -> tuple[Side, Side]:
    """Without and with callers that wait, in turns."""
    without, beside = Side(), Side()
    settings = {
        "HELD_CALLERS": str(2 * held),
        "REMOVEBG_SYNC_SECONDS": "300",
        "CONNECTIONS": "8000",
    }
    with live_gateway(Checkout.at(HERE), 1, **settings) as gateway:
        submitter, waiter = (gateway.installation.account(name, *_TERMS) for name in ("submitter", "waiter"))
        scene = Scene(gateway, submitter, waiter)
        scene.submit(rate, 1, Side())  # to be warm
        for number in range(rounds):
            # First the one, then the other: the ledger grows meanwhile.
            for side in (without, beside) if number % 2 else (beside, without):
                if side is without:
                    scene.submit(rate, seconds, side)
                else:
                    with scene.held(held):
                        scene.submit(rate, seconds, side)
    return without, beside


def lines(without: Side, beside: Side, held: int) -> str:
    """The table."""
    rows = [
        [
            name,
            f"{statistics.median(side.cpu_us):.0f}",
            f"{side.percentile_ms(50):.1f}",
            f"{side.percentile_ms(99):.1f}",
        ]
        for name, side in (("without", without), (f"beside {held} that wait", beside))
    ]
    rows.append(["ratio", *(f"{ratio:.2f}" for ratio in ratios(without, beside))])
    return table(["PICPIK's submits", "gateway µs", "p50 ms", "p99 ms"], rows)


def ratios(without: Side, beside: Side) -> tuple[float, float, float]:
    """Of processor time, p50 and p99."""
    cpu = statistics.median(beside.cpu_us) / statistics.median(without.cpu_us)
    return (
        cpu,
        beside.percentile_ms(50) / without.percentile_ms(50),
        beside.percentile_ms(99) / without.percentile_ms(99),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, default=200, help="callers that wait (%(default)s)")
    parser.add_argument("--rate", type=int, default=100, help="submits a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="of each side (%(default)s)")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="write the table into this page, too")
    options = parser.parse_args(arguments)
    if options.write:
        require_parts(options.write, [PART])
    without, beside = measure(held=options.held, rate=options.rate, seconds=options.seconds, rounds=options.rounds)
    text = lines(without, beside, options.held)
    print(text)
    if options.write:
        write_part(options.write, PART, f"{conditions(this_command('benchmarks.gateway.held'))}\n\n{text}")
    cpu, _, p99 = ratios(without, beside)
    return 0 if max(cpu, p99) <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
