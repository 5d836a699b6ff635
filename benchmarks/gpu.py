"""How well a worker keeps its GPU busy: whole items, several at once, with micro-batches.

    python -m benchmarks.gpu [--items N] [--batch N] [--at-once N ...] [--megapixels SIZE] [--model NAME]

Each item goes the whole way, from claim to finish, in this process; a JPEG comes in and a PNG goes out. Printed
are pictures per second, the share of the wall time that the network was running, and the pictures in a run. At the
end: how many processors it takes until the network is the limit, and not the work around it. Where there is no GPU
it says so and exits with 2; `--device cpu` runs it all the same, to see that it works.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.photos import LIMITS, photo
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.observe import logs
from cutgate.jobs.record import ItemState, NewItem, NewTask
from cutgate.jobs.spec import CutoutSpec, lane_of
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.machine.container import cpu_quota
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.process.runner import Runner
from cutgate.worker.process.several import ConcurrentItems, Deadlines
from cutgate.worker.settings import Device, NetworkSettings
from tests.ledgers import FreshLedger

OWNER: Final = "benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of items at once."""

    at_once: int
    wall_seconds: float
    cpu_seconds: float
    """Of the whole process, for each item."""
    items_per_second: float


class Bench:
    """A ledger of its own and blobs in files, with the photo that every item begins with."""

    def __init__(self, model: str, megapixels: float, blob_dir: Path) -> None:
        self.spec, self.source = CutoutSpec(model=model), photo(megapixels)
        self.store = FreshLedger(LedgerLimits(job_timeout_seconds=3600, account_queue_cap=10_000))
        self.blobs = FileBlobStore(blob_dir)

    def measure(self, predict: Predict, at_once: int, count: int) -> Row:
        """Bring so many items to their end, so many of them at once."""
        uid = new_task_uid()
        items = tuple(NewItem(source=source_key(uid, index), spec=self.spec) for index in range(count))
        for item in items:
            self.blobs.put(item.source, self.source)
        self.store.create(NewTask(uid=uid, account="ada", origin=OWNER, items=items))
        runner = Runner(
            store=self.store,
            blobs=self.blobs,
            predict_for=lambda _: predict,
            owner=OWNER,
            limits=LIMITS,
            beat_seconds=5,
        )
        work = ConcurrentItems(runner, Deadlines(at_once))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in items:
            work.take_one([lane_of(self.spec)])
        work.drain()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        task = self.store.get(uid, "ada")
        assert task is not None
        assert {item.state for item in task.items} == {ItemState.DONE}, task.items[0].error
        self.blobs.delete_task(uid)
        return Row(at_once=at_once, wall_seconds=wall, cpu_seconds=cpu / count, items_per_second=count / wall)


class Remembered:
    """Answers as the network did when it first saw a picture of this size: what is left is the work around it."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._masks: dict[tuple[int, ...], ByteMask] = {}

    def __call__(self, image: RgbImage) -> ByteMask:
        """As `Predict`."""
        if image.shape not in self._masks:
            self._masks[image.shape] = self._predict(image)
        return self._masks[image.shape].copy()


def network_alone(predict: NetworkRun, batch: int, runs: int) -> float:
    """Seconds for each picture of full batches, one after the other."""
    slots = np.zeros_like(predict.processing.new_batch(batch, *predict.row.input_px))
    predict.engine.run(slots)
    started = time.perf_counter()
    for _ in range(runs):
        predict.engine.run(slots)
    return (time.perf_counter() - started) / (runs * batch)


def main() -> None:
    defaults = NetworkSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=200, help="for each row")
    parser.add_argument("--batch", type=int, default=4, help="the greatest")
    parser.add_argument("--at-once", type=int, nargs="+", help="by default a few up to what a worker does")
    parser.add_argument("--megapixels", type=float, default=1)
    parser.add_argument("--model", default=defaults.model)
    parser.add_argument("--device", type=Device, default=Device.GPU, choices=list(Device))
    arguments = parser.parse_args()
    logs.configure("console", "error")
    chosen = {"model": arguments.model, "device": arguments.device, "pictures_per_run": max(2, arguments.batch)}
    try:
        segmenter = load_segmenter(defaults.model_copy(update=chosen))
    except ModelUnavailable as error:
        print(f"not run on a GPU: {error}" if arguments.device is Device.GPU else error)
        sys.exit(2)
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with --model"
    print(f"{segmenter.engine}, {segmenter.provider}, {segmenter.dtype}, {cpu_quota()} processors")
    if arguments.device is not Device.GPU:
        print("not run on a GPU: this shows that the benchmark works, and nothing about any GPU")
    with tempfile.TemporaryDirectory() as folder:
        report(Bench(arguments.model, arguments.megapixels, Path(folder)), network, arguments)


def report(bench: Bench, network: NetworkRun, arguments: argparse.Namespace) -> None:
    """Measure and print everything."""
    full = cpu_quota() + arguments.batch
    bench.measure(network, 1, 1)
    print(f"\n{'at once':>7} {'items/s':>8} {'network busy':>12} {'a run':>6} {'CPU s/item':>10}")
    for at_once in arguments.at_once or sorted({1, arguments.batch, full, 2 * full}):
        before = replace(network.batcher.spent)
        row = bench.measure(network, at_once, arguments.items)
        spent = network.batcher.spent
        share = (spent.seconds - before.seconds) / row.wall_seconds
        size = (spent.pictures - before.pictures) / (spent.runs - before.runs)
        print(f"{at_once:>7} {row.items_per_second:>8.2f} {share:>12.1%} {size:>6.2f} {row.cpu_seconds:>10.3f}")
    remembered = Remembered(network)
    bench.measure(remembered, 1, 1)
    around = bench.measure(remembered, 1, min(arguments.items, 20)).cpu_seconds
    alone = network_alone(network, arguments.batch, runs=max(1, min(arguments.items // arguments.batch, 10)))
    print(f"\nthe network alone: {alone:.4f} s/item; everything around it: {around:.4f} s of CPU/item")
    print(f"to keep it busy takes {around / alone:.1f} processors; with fewer, decoding, edges and encoding limit")


if __name__ == "__main__":
    main()
