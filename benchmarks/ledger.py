"""What the ledger's moves cost its server, by how much is queued, and what all upkeep of many workers takes.

    python -m benchmarks.ledger [--queued 1000 100000] [--accounts 1 1000] [--stored 300000] [--workers 1000]

It starts a server of its own. Times are the server's own, from INFO commandstats: what other work on the machine
does to this process is not in them.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from redis import Redis
from rich.console import Console
from rich.table import Table

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.ids import new_task_uid, new_token, result_key, source_key
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, NewItem, NewTask, Result
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CutoutSpec, lane_of
from cutgate.jobs.upkeep.leadership import Leadership
from cutgate.jobs.upkeep.reaper import HOLD_SECONDS
from tests.servers.redis_server import redis_server

SPEC: Final = CutoutSpec(model="isnet-general-use")
LANE: Final = lane_of(SPEC)
LIMITS: Final = LedgerLimits(total_queue_cap=10**7, account_queue_cap=10**7)
CALLS: Final = 500
MICROSECONDS: Final = 1_000_000


def submit(ledger: Ledger, account: str) -> None:
    uid = new_task_uid()
    item = NewItem(source=source_key(uid, 0), spec=SPEC)
    ledger.tasks.create(NewTask(uid=uid, account=account, origin="bench", items=(item,)))


def claimed(ledger: Ledger) -> Claim:
    claim = ledger.claims.take([LANE], "bench", new_token())
    assert claim is not None
    return claim


def finish(ledger: Ledger, claim: Claim) -> None:
    blob = result_key(claim.task, claim.index, claim.token)
    ledger.claims.finish(
        claim, Result(blob=blob, media_type="image/png", width_px=640, height_px=480, size_bytes=9)
    )


def server_seconds(client: Redis) -> float:
    """Time that the server has spent on commands so far."""
    return float(sum(stat["usec"] for stat in client.info("commandstats").values()) / MICROSECONDS)


def cost(client: Redis, call: Callable[[], object], count: int = CALLS) -> float:
    """Microseconds of the server's time for one call."""
    before = server_seconds(client)
    for _ in range(count):
        call()
    return (server_seconds(client) - before) / count * MICROSECONDS


def costs(ledger: Ledger, client: Redis) -> list[float]:
    """What create, claim, renew, finish and reap cost."""
    claims: list[Claim] = []
    create = cost(client, lambda: submit(ledger, "account-0"))
    claim = cost(client, lambda: claims.append(claimed(ledger)))
    renewing, finishing = iter(claims), iter(claims)
    renew = cost(client, lambda: ledger.claims.renew(next(renewing)))
    end = cost(client, lambda: finish(ledger, next(finishing)))
    return [create, claim, renew, end, cost(client, ledger.upkeep.reap, 50)]


@contextmanager
def server() -> Iterator[tuple[Ledger, Redis]]:
    """An empty ledger on a server of its own."""
    with redis_server("--hash-max-listpack-value", "1024") as url, connect(url) as client:
        yield Ledger(client, LIMITS), client


def moves(console: Console, queued: list[int], accounts: list[int]) -> None:
    table = Table(title="Server time of one call, in microseconds")
    for heading in ("queued", "accounts", "create", "claim", "renew", "finish", "reap"):
        table.add_column(heading, justify="right")
    for count in accounts:
        with server() as (ledger, client):
            sizes = sorted(queued)
            for before, size in zip([0, *sizes], sizes, strict=False):
                for number in range(size - before):
                    submit(ledger, f"account-{number % count}")
                table.add_row(f"{size:,}", f"{count:,}", *(f"{value:.0f}" for value in costs(ledger, client)))
    console.print(table)


def upkeep(console: Console, stored: int, workers: int, seconds: float) -> None:
    """Print what all processes' upkeep together takes of the server's thread.

    The workers are registered, and their calls made, without starting one: what a worker's parent asks for.
    """
    with server() as (ledger, client):
        for _ in range(stored):
            submit(ledger, "account-0")
            finish(ledger, claimed(ledger))
        presence = ledger.presence
        facts = {"lane": LANE, "model": "m", "engine": "e", "provider": "p", "dtype": "fp32", "threads": 2}
        owners = [WorkerPresence(owner=f"host-{number}", **facts) for number in range(workers)]  # type: ignore[arg-type]
        leads = [(Leadership(ledger, "reaper", HOLD_SECONDS), owner) for owner in owners]
        before, began_at = server_seconds(client), time.monotonic()
        beats = 0
        while time.monotonic() - began_at < seconds:
            tick_at = time.monotonic()
            for lead, owner in leads:
                if lead.holds():
                    ledger.upkeep.reap()
                if beats % 5 == 0:
                    presence.announce(owner, 20)
                    ledger.server.require_fit()
            beats += 1
            time.sleep(max(0.0, 1 - (time.monotonic() - tick_at)))
        share = (server_seconds(client) - before) / (time.monotonic() - began_at)
        console.print(
            f"{workers:,} workers, {stored:,} stored tasks: presence, looks at the server, leases of sweeps and "
            f"reaping take {share:.1%} of the server's thread"
        )
        before = server_seconds(client)
        uids = [new_task_uid() for _ in range(200)]
        for _ in range(stored // 200):
            ledger.upkeep.unrecorded(uids, 3_600)
        sweep = server_seconds(client) - before
        console.print(
            f"one orphan sweep over them, every 15 minutes by one process: {sweep:.2f} s ({sweep / 900:.2%})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queued", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--accounts", type=int, nargs="+", default=[1, 1_000])
    parser.add_argument("--stored", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    console = Console()
    moves(console, options.queued, options.accounts)
    upkeep(console, options.stored, options.workers, options.seconds)


if __name__ == "__main__":
    main()
