"""Resident memory of a worker's process over many pictures of mixed sizes.

    python -m benchmarks.memory [--items N] [--model NAME] [--largest MEGAPIXELS] [--plain] [--plot FILE.png]

Each picture goes the whole way of an item, from claim to finish, in this process. Printed are, for each item, the
peak while it was made and the size afterwards; at the end the medians of the second and the last quarter, which
are equal where nothing leaks. The first quarter warms the heap up.
"""

import argparse
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import cv2
import numpy as np

from benchmarks.photos import LIMITS, photo
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.observe import logs
from cutgate.jobs.record import ItemState, NewItem, NewTask
from cutgate.jobs.spec import CutoutSpec, Refinement, lane_of
from cutgate.worker.machine.memory import forget_peak, resident_bytes
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.process.runner import Runner
from cutgate.worker.settings import NetworkSettings
from tests.ledgers import FreshLedger

MEGAPIXELS: Final = (0.3, 2, 1, 6, 0.5, 12)
MIB: Final = 2**20
WIDTH_PX, HEIGHT_PX, MARGIN_PX = 900, 500, 60


@dataclass(frozen=True, slots=True)
class Row:
    """One item."""

    megapixels: float
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
            predict_for=lambda _: network,
            soft_for=lambda _: network.soft,
            owner="benchmark",
            limits=LIMITS,
            beat_seconds=5,
        )

    def measure(self, megapixels: float, spec: CutoutSpec) -> Row:
        """Bring one picture to its end."""
        uid = new_task_uid()
        source = source_key(uid, 0)
        self.blobs.put(source, photo(megapixels))
        item = NewItem(source=source, spec=spec)
        self.store.create(NewTask(uid=uid, account="ada", origin="benchmark", items=(item,)))
        forget_peak()
        assert self.runner.run_one([lane_of(spec)])
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        task = self.store.get(uid, "ada")
        assert task is not None
        assert task.items[0].state is ItemState.DONE, task.items[0].error
        self.blobs.delete_task(uid)
        size = resident_bytes()
        assert size is not None, "this system does not tell the resident size"
        return Row(megapixels, peak_bytes, size)


def plot(rows: list[Row], file: Path) -> None:
    """Draw peaks in orange and sizes between items in blue, in MiB over items."""
    canvas = np.full((HEIGHT_PX, WIDTH_PX, 3), 255, np.uint8)
    top = max(row.peak_bytes for row in rows)
    x = np.linspace(MARGIN_PX, WIDTH_PX - MARGIN_PX, len(rows))
    for name, colour in (("peak_bytes", (0, 128, 255)), ("resident_bytes", (200, 80, 0))):
        share = np.array([getattr(row, name) for row in rows]) / top
        y = HEIGHT_PX - MARGIN_PX - share * (HEIGHT_PX - 2 * MARGIN_PX)
        points = np.stack([x, y], axis=1).round().astype(np.int32)
        cv2.polylines(canvas, [points], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA)
    for text, y_px in ((f"{top // MIB} MiB", MARGIN_PX), ("0", HEIGHT_PX - MARGIN_PX)):
        cv2.putText(canvas, text, (4, y_px), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    caption = f"{len(rows)} items; orange: peak while an item is made, blue: size afterwards"
    where = (MARGIN_PX, HEIGHT_PX - MARGIN_PX // 3)
    cv2.putText(canvas, caption, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.imwrite(str(file), canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--model", default=NetworkSettings().model)
    parser.add_argument("--largest", type=float, default=max(MEGAPIXELS), help="leave larger pictures away")
    parser.add_argument("--plain", action="store_true", help="leave the refinement of edges away")
    parser.add_argument("--plot", type=Path, help="draw the table into this PNG file")
    arguments = parser.parse_args()
    logs.configure("console", "warning")
    sizes = [size for size in MEGAPIXELS if size <= arguments.largest]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        refinement = Refinement.OFF if arguments.plain else Refinement.AUTO
        spec = CutoutSpec(model=arguments.model, refinement=refinement)
        bench = Bench(NetworkSettings(model=arguments.model), Path(folder))
        print(f"{'item':>5} {'MP':>5} {'peak MiB':>9} {'after MiB':>10}")
        for number in range(arguments.items):
            rows.append(bench.measure(sizes[number % len(sizes)], spec))
            row = rows[-1]
            print(f"{number:>5} {row.megapixels:>5} {row.peak_bytes // MIB:>9} ", end="")
            print(f"{row.resident_bytes // MIB:>10}", flush=True)
    if arguments.plot:
        plot(rows, arguments.plot)
    quarter = max(1, len(rows) // 4)
    second, last = (
        median(row.resident_bytes for row in part) / MIB for part in (rows[quarter : 2 * quarter], rows[-quarter:])
    )
    print(f"median after an item: second quarter {second:.1f} MiB, last quarter {last:.1f} MiB")


if __name__ == "__main__":
    main()
