"""Measure WebSockets: what idle ones cost the gateway, and whether busy ones leave PICPIK's callers their answers.

    python -m benchmarks.sockets [--idle N] [--busy N] [--seconds S] [--processes N]

Redis server and gateway are the real ones. A stand-in for workers ends each task at once with a small result, so
that the gateway is what is measured; it and the callers share the machine with it.
"""

import argparse
import asyncio
import base64
import json
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.gateway.clients import send
from benchmarks.gateway.live import HERE, HOST, Checkout, Gateway, live_gateway
from benchmarks.gateway.requests import Account, Picture, removal
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_token, result_key
from cutgate.jobs.ledger.redis.client import connect as connect_ledger
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Result
from cutgate.jobs.spec import CutoutSpec, lane_of

SMALL: Final = Picture(8)
_MODEL: Final = "stand-in"
_TERMS: Final = ("--credits", "1000000", "--queue-cap", "1000000", "--submits-per-second", "100000")
_ANSWER_SECONDS: Final = 60
_PICPIK_PAUSE_SECONDS: Final = 0.02
_OPEN_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run gave; times in seconds."""

    opening_seconds: float
    idle_kb_each: float
    idle_threads: int
    """Threads that the idle connections added, together."""
    busy_threads: int
    """Threads that all connections added, with every caller at work."""
    calls: list[float]
    """Of removals over the busy connections, from the message to its result."""
    pongs: list[float]
    """Of pings on one connection meanwhile."""
    submits_before: list[float]
    """Of PICPIK's submits without any WebSocket."""
    submits: list[float]
    """Of PICPIK's submits meanwhile."""


def measure(*, idle: int, busy: int, seconds: float, processes: int) -> Measured:
    """Open connections, put some to work, and submit over PICPIK's protocol at the same time."""
    room = str(2 * (idle + busy))
    with (
        live_gateway(
            Checkout.at(HERE), processes, SOCKETS=room, POLLS_PER_SECOND="100000", MODEL=_MODEL
        ) as gateway,
        stand_in_worker(gateway.installation.environment),
    ):
        account = gateway.installation.account("caller", *_TERMS)
        return asyncio.run(_measure(_Callers(gateway, account), idle, busy, seconds))


@dataclass(frozen=True, slots=True)
class _Callers:
    """Of one account, all of them."""

    gateway: Gateway
    account: Account


@contextmanager
def stand_in_worker(environment: Mapping[str, str]) -> Iterator[None]:
    """End every task at once, in a thread."""
    client = connect_ledger(environment["CUTGATE_REDIS_URL"])
    store, blobs = RedisLedger(client, LedgerLimits()), FileBlobStore(Path(environment["CUTGATE_BLOB_DIR"]))
    lane, data, stopped = lane_of(CutoutSpec(model=_MODEL)), SMALL.data(), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            claim = store.claim([lane], "stand-in", new_token())
            if claim is None:
                stopped.wait(0.005)
                continue
            key = result_key(claim.task, claim.index, claim.token)
            blobs.put(key, data)
            result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=len(data))
            store.finish(claim, result)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


async def _measure(callers: _Callers, idle: int, busy: int, seconds: float) -> Measured:
    before = await asyncio.to_thread(_submits, callers, seconds)
    gateway = callers.gateway
    memory_mb, threads = gateway.resident_mb(), gateway.threads()
    async with AsyncExitStack() as open_sockets:
        started = time.perf_counter()
        idle_sockets = await _open(callers, idle, open_sockets)
        opening_seconds = time.perf_counter() - started
        idle_kb = (gateway.resident_mb() - memory_mb) * 1_024 / idle
        idle_threads = gateway.threads() - threads
        busy_sockets = await _open(callers, busy, open_sockets)
        until = time.perf_counter() + seconds
        *calls, pongs, submits = await asyncio.gather(
            *(_call_on(connection, until) for connection in busy_sockets),
            _ping_on(idle_sockets[0], until),
            asyncio.to_thread(_submits, callers, seconds),
        )
        return Measured(
            opening_seconds=opening_seconds,
            idle_kb_each=idle_kb,
            idle_threads=idle_threads,
            busy_threads=gateway.threads() - threads,
            calls=[took for part in calls for took in part],
            pongs=pongs,
            submits_before=before,
            submits=submits,
        )


async def _open(callers: _Callers, count: int, opened: AsyncExitStack) -> list[ClientConnection]:
    """Open connections and show the key on each."""
    places = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def one() -> ClientConnection:
        async with places:
            url = f"ws://{HOST}:{callers.gateway.port}/v1"
            connection = await opened.enter_async_context(connect(url, open_timeout=_ANSWER_SECONDS, proxy=None))
            await _ask(connection, {"taskType": "authentication", "apiKey": callers.account.api_key})
            return connection

    return await asyncio.gather(*(one() for _ in range(count)))


async def _ask(connection: ClientConnection, task: dict[str, Any]) -> float:
    """The seconds from a task to its answer.

    Raises:
        RuntimeError: the answer is an error.
    """
    started = time.perf_counter()
    await connection.send(json.dumps([task]))
    async with asyncio.timeout(_ANSWER_SECONDS):
        answer = json.loads(await connection.recv())
    if "errors" in answer:
        raise RuntimeError(f"refused: {answer['errors']}")
    return time.perf_counter() - started


async def _call_on(connection: ClientConnection, until: float) -> list[float]:
    image = base64.b64encode(SMALL.data()).decode("ascii")
    took = []
    while time.perf_counter() < until:
        task = {"taskType": "imageBackgroundRemoval", "taskUUID": str(uuid.uuid4()), "inputImage": image}
        took.append(await _ask(connection, task))
    return took


async def _ping_on(connection: ClientConnection, until: float) -> list[float]:
    took = []
    while time.perf_counter() < until:
        took.append(await _ask(connection, {"taskType": "ping", "ping": True}))
        await asyncio.sleep(_PICPIK_PAUSE_SECONDS)
    return took


def _submits(callers: _Callers, seconds: float) -> list[float]:
    took: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        took += send(callers.gateway.port, [removal(callers.account, SMALL)]).took_seconds
        time.sleep(_PICPIK_PAUSE_SECONDS)
    return took


def _row(name: str, took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=100)
    return f"{name:32} {len(took):7} {cuts[49] * 1e3:8.1f} {cuts[98] * 1e3:8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=500, help="idle connections (%(default)s)")
    parser.add_argument("--busy", type=int, default=50, help="connections with a call in flight (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="time at work (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="gateway processes (%(default)s)")
    options = parser.parse_args()
    measured = measure(idle=options.idle, busy=options.busy, seconds=options.seconds, processes=options.processes)
    print(f"{options.idle} idle connections were open after {measured.opening_seconds:.1f} s")
    print(f"each costs {measured.idle_kb_each:.0f} kB; together they added {measured.idle_threads} threads")
    print(f"with {options.busy} busy ones beside them: {measured.busy_threads} threads more than without any\n")
    print(f"{'':32} {'calls':>7} {'p50 ms':>8} {'p99 ms':>8}")
    print(_row("PICPIK submits without sockets", measured.submits_before))
    print(_row("PICPIK submits with them", measured.submits))
    print(_row("removals over busy sockets", measured.calls))
    print(_row("pings meanwhile", measured.pongs))


if __name__ == "__main__":
    main()
