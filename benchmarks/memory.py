"""Resident memory: of a worker over jobs of mixed sizes and kinds, of a gateway after large pictures.

    python -m benchmarks.memory [--items N] [--model NAME] [--largest MEGAPIXELS] [--plain] [--gateway]

Each picture goes the whole way of an item, from claim to finish, in this process. The medians of the second
and the last quarter are equal where nothing leaks; the first quarter warms the heap up.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.bounds import at_most
from benchmarks.gateway.clients import send_all
from benchmarks.gateway.live import live_gateway
from benchmarks.gateway.requests import removal
from benchmarks.gateway.rows import TEN_MEGABYTES
from benchmarks.photos import LIMITS, photo
from benchmarks.speed.rows import Row, as_table, figure
from benchmarks.trees import here
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.observe import logs
from cutgate.jobs.record import ItemState, NewItem, NewTask
from cutgate.jobs.spec import CutoutSpec, Output, Refinement, lane_of
from cutgate.worker.machine.memory import forget_peak, resident_bytes
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.process.health import Health
from cutgate.worker.process.runner import Runner
from cutgate.worker.settings import NetworkSettings
from tests.ledgers import FreshLedger

MEGAPIXELS: Final = (0.3, 2, 1, 6, 0.5, 12)
KINDS: Final = (
    {"refinement": Refinement.AUTO},
    {"refinement": Refinement.ON},
    {"refinement": Refinement.OFF},
    {"refinement": Refinement.AUTO, "output": Output.MASK},
)
MIB: Final = 2**20
LEVEL: Final = at_most(1.05)
LARGE_MEGAPIXELS: Final = 50
LARGE_GIB: Final = at_most(1.5)
"""Over the loaded network."""
SUBMITS: Final = (20, 200)
GROWTH_MB: Final = at_most(100)


class Size(NamedTuple):
    """Of the process, while an item was made and afterwards."""

    peak_bytes: int
    resident_bytes: int


class Bench:
    """A runner with a ledger of its own and blobs in files, as a worker's child has them."""

    def __init__(self, settings: NetworkSettings, blob_dir: Path) -> None:
        self.store, self.blobs = FreshLedger(LedgerLimits(job_timeout_seconds=600)), FileBlobStore(blob_dir)
        network = load_segmenter(settings)
        self.runner = Runner(
            store=self.store,
            blobs=self.blobs,
            health=Health(self.store, self.blobs),
            predict_for=lambda _: network,
            soft_for=lambda _: network.soft,
            owner="benchmark",
            limits=LIMITS,
            beat_seconds=5,
        )

    def measure(self, megapixels: float, spec: CutoutSpec) -> Size:
        """Bring one picture to its end."""
        uid = new_task_uid()
        source = source_key(uid, 0)
        self.blobs.put(source, photo(megapixels))
        item = NewItem(source=source, spec=spec)
        self.store.tasks.create(NewTask(uid=uid, account="ada", origin="benchmark", items=(item,)))
        forget_peak()
        assert self.runner.run_one([lane_of(spec)])
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        task = self.store.tasks.get(uid, "ada")
        assert task is not None
        assert task.items[0].state is ItemState.DONE, task.items[0].error
        self.blobs.delete_task(uid)
        size = resident_bytes()
        assert size is not None, "this system does not tell the resident size"
        return Size(peak_bytes, size)


def of_a_worker(items: int, model: str, *, largest: float = max(MEGAPIXELS), plain: bool = False) -> list[Row]:
    """Sizes after items; then, unless they are plain or small, the peak of one large picture."""
    logs.configure("console", "warning")
    megapixels = [size for size in MEGAPIXELS if size <= largest]
    specs = [CutoutSpec(model=model, **kind) for kind in (({"refinement": Refinement.OFF},) if plain else KINDS)]
    sizes: list[Size] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(NetworkSettings(model=model), Path(folder))
        for number, mixed in enumerate(islice(zip(cycle(megapixels), cycle(specs), strict=False), items), 1):
            sizes.append(bench.measure(*mixed))
            if number % 30 == 0:
                print(f"memory: {number} of {items} items", file=sys.stderr, flush=True)
        rows = _levels([size.resident_bytes for size in sizes])
        if not plain and largest == max(MEGAPIXELS):
            taken = bench.measure(LARGE_MEGAPIXELS, specs[0]).peak_bytes - sizes[-1].resident_bytes
            name = f"{LARGE_MEGAPIXELS} MP, HairOptimization auto: peak over the loaded network"
            rows.append(figure(name, taken / 2**30, LARGE_GIB, ".2f", " GiB"))
    return rows


def _levels(sizes: Sequence[int]) -> list[Row]:
    quarter = max(1, len(sizes) // 4)
    second, last = median(sizes[quarter : 2 * quarter] or sizes), median(sizes[-quarter:])
    return [
        figure("median after an item, second quarter", second / MIB, None, ".1f", " MiB"),
        figure("median after an item, last quarter", last / MIB, None, ".1f", " MiB"),
        figure("last quarter over second", last / second, LEVEL, ".3f"),
    ]


def of_a_gateway() -> list[Row]:
    """Sizes after submits of 10 MB, and their growth."""
    with live_gateway(here(), processes=1) as gateway:
        terms = ("--queue-cap", "1000", "--submits-per-second", "1000")
        [account] = gateway.accounts({"large": terms}).values()
        sizes = [gateway.resident_mb()]
        for count in (SUBMITS[0], SUBMITS[1] - SUBMITS[0]):
            send_all(gateway.port, [removal(account, TEN_MEGABYTES) for _ in range(count)], connections=8)
            sizes.append(gateway.resident_mb())
    rows = [
        figure(f"gateway after {count} submits of 10 MB", size, None, ".0f", " MB")
        for count, size in zip((0, *SUBMITS), sizes, strict=True)
    ]
    return [*rows, figure("growth between the last two", sizes[2] - sizes[1], GROWTH_MB, ".0f", " MB")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--model", default=NetworkSettings().model)
    parser.add_argument("--largest", type=float, default=max(MEGAPIXELS), help="leave larger pictures away")
    parser.add_argument("--plain", action="store_true", help="leave the refinement of edges away")
    parser.add_argument("--gateway", action="store_true", help="measure a gateway instead")
    options = parser.parse_args()
    rows = (
        of_a_gateway()
        if options.gateway
        else of_a_worker(options.items, options.model, largest=options.largest, plain=options.plain)
    )
    print(as_table(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
