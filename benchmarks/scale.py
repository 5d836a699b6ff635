"""What one task costs the ledger's server, and how many tasks a second one process can delete.

    python -m benchmarks.scale [--tasks 3000] [--latency-ms 20] [--in-folder 10000000]

It starts servers of its own. A stand-in for S3 answers each request after a pause: it shows how many requests
deletion makes, and what they cost this process. Files of the folder are links to a few empty ones.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from redis import Redis
from typing_extensions import override

from benchmarks.ledger import SPEC, claimed, finish, submit
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.blobs.s3_store import S3BlobStore
from cutgate.jobs.ids import new_task_uid, new_token, result_key, source_key
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import AccountCaps, Idempotency, NewItem, NewTask, RateUse
from cutgate.jobs.redis_client import connect
from cutgate.jobs.settings import BlobSettings
from cutgate.jobs.upkeep.retention import Sweeper
from tests.servers.redis_server import redis_server
from tests.servers.relay import served

DAYS: Final = (1_000_000, 10_000_000, 100_000_000)
"""Tasks a day."""
DAY_SECONDS: Final = 86_400
RENEWALS: Final = 3
"""Of a task's lease, while it is worked on: 15 s at the default."""
LINKS: Final = 50_000
"""Names that one file has at most."""
CYCLE_SECONDS: Final = 4_096
"""After which tasks come to the same of 1,024 folders again."""
FILLED_SECONDS: Final = 240


def per_task(task_count: int) -> None:
    """Print what one task costs the server, from the submit to its end, and what that makes a day."""
    with tempfile.TemporaryDirectory() as folder:
        kept = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--dir", folder)
        with redis_server(*kept, "--hash-max-listpack-value", "1024") as url, connect(url) as client:
            ledger = Ledger(client, LedgerLimits(total_queue_cap=10**7, account_queue_cap=10**7))
            ledger.accounts.grant("account-0", 10**9)
            pass_through(ledger, 50)
            began = used(client)
            for _ in range(task_count):
                create(ledger)
            queued = used(client)
            pass_through(ledger, 0, task_count)
            ended = used(client)
    processor, aof = (((after - before) / task_count) for before, after in zip(began[:2], ended[:2], strict=True))
    waiting_bytes, ended_bytes = ((figures[2] - began[2]) / task_count for figures in (queued, ended))
    print(
        f"A task takes {processor * 1e6:.0f} us of the server's processor and {aof:.0f} bytes of its append-only "
        f"file; {waiting_bytes:.0f} bytes of memory while it waits, {ended_bytes:.0f} once it has ended."
    )
    for a_day in DAYS:
        a_second = a_day / DAY_SECONDS
        print(
            f"{a_day:>11,} a day: {a_second * processor:>7.1%} of a processor, "
            f"{a_day * ended_bytes / 2**30:>6.1f} GiB for a day's retention, "
            f"{a_day * aof / 2**30:>6.0f} GiB written"
        )


def create(ledger: Ledger) -> None:
    """What a submit asks of the ledger."""
    uid = new_task_uid()
    once = Idempotency(key=uid, content_digest=uid)
    use = RateUse(name="submits", limit=10**6, seconds=60)
    ledger.tasks.look("account-0", caps=AccountCaps(), idempotency=once, item_count=1, price=1, use=use)
    item = NewItem(source=source_key(uid, 0), spec=SPEC, price=1)
    ledger.tasks.create(NewTask(uid=uid, account="account-0", origin="bench", items=(item,), idempotency=once))


def pass_through(ledger: Ledger, new: int, waiting: int = 0) -> None:
    """Create so many, and do them and those that wait."""
    for _ in range(new):
        create(ledger)
    for _ in range(new + waiting):
        claim = claimed(ledger)
        for _ in range(RENEWALS):
            ledger.claims.renew(claim)
        finish(ledger, claim)


def used(client: Redis) -> tuple[float, int, int]:
    """Seconds of processor, bytes of the append-only file, bytes of memory."""
    processor, data, memory = (client.info(part) for part in ("cpu", "persistence", "memory"))
    return (
        processor["used_cpu_user"] + processor["used_cpu_sys"],
        data["aof_current_size"],
        memory["used_memory"],
    )


def deletion(name: str, blobs: BlobStore, task_count: int, *, written: bool) -> None:
    """Print how many ended tasks a second one process removes: source, result and record."""
    limits = LedgerLimits(retention_seconds=0.001, total_queue_cap=10**7, account_queue_cap=10**7)
    with redis_server() as url, connect(url) as client:
        ledger = Ledger(client, limits.model_copy(update={"source_seconds": 0.001}))
        for _ in range(task_count):
            submit(ledger, "account-0")
            claim = claimed(ledger)
            if written:
                blobs.put(claim.source, b"")
                blobs.put(result_key(claim.task, claim.index, claim.token), b"")
            finish(ledger, claim)
        began, processor = time.monotonic(), time.process_time()
        removed = Sweeper(ledger, blobs, orphan_grace_seconds=3_600).sweep()
        seconds, busy = time.monotonic() - began, time.process_time() - processor
    assert removed == task_count, "others sweep here, too"
    print(f"{name}: {removed / seconds:,.0f} tasks a second, {busy / seconds:.0%} of a processor")


@contextmanager
def slow_bucket(latency_seconds: float) -> Iterator[BlobStore]:
    """A store whose server answers each deletion after a pause."""

    class Slow(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(latency_seconds)
            answer = b"<DeleteResult/>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Slow)) as server:
        yield S3BlobStore(
            BlobSettings(
                blob_store="s3",
                s3_endpoint_url=f"http://127.0.0.1:{server.server_port}",
                s3_bucket="bench",
                s3_access_key="bench",
                s3_secret_key=SecretStr("bench"),
            )
        )


def fill(root: Path, count: int) -> None:
    """Give the folders of the next minutes their share of a day's results, which are spread over all folders."""
    store = FileBlobStore(root)
    now = time.time()
    target = root / "empty-0"
    for number in range(round(count * FILLED_SECONDS / CYCLE_SECONDS)):
        if number % LINKS == 0:
            target = root / f"empty-{number}"
            target.touch()
        uid = new_task_uid(now + random.random() * FILLED_SECONDS)
        path = store._path(result_key(uid, 0, new_token()))  # noqa: SLF001 — `put` would sync each
        with suppress(FileExistsError):
            path.parent.mkdir()
        os.link(target, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=3_000)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--in-folder", type=int, default=10_000_000, help="results in all folders")
    options = parser.parse_args()
    per_task(options.tasks)
    with slow_bucket(options.latency_ms / 1_000) as blobs:
        deletion(f"S3, {options.latency_ms:g} ms a request", blobs, options.tasks, written=False)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), options.in_folder)
        blobs = FileBlobStore(Path(folder))
        deletion(f"folders of {options.in_folder:,} results", blobs, options.tasks, written=True)


if __name__ == "__main__":
    main()
