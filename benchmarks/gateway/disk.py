"""How many files a second the disk makes durable, without anything else."""

import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDERS: Final = 64
FILE_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """Files of 8 KB in standing folders, file and folder flushed for each."""

    threads: int
    a_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float

    def __str__(self) -> str:
        return (
            f"The disk alone, {self.threads} threads: {self.a_second:.0f} files of 8 KB a second, file and folder "
            f"flushed for each; p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms; {self.cpu_us:.0f} µs each."
        )


def measure_disk(threads: int, files: int) -> DiskFigures:
    """Write files where an empty installation has its blobs."""
    data = os.urandom(FILE_BYTES)
    with tempfile.TemporaryDirectory(prefix="cutgate-") as root, ThreadPoolExecutor(threads) as pool:
        folders = [Path(root, f"{number:02}") for number in range(FOLDERS)]
        for folder in folders:
            folder.mkdir()
        started, used = time.perf_counter(), time.process_time()
        took = list(pool.map(lambda number: _write(folders[number % FOLDERS], str(number), data), range(files)))
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return DiskFigures(threads, files / seconds, cuts[49] * 1e3, cuts[98] * 1e3, cpu_seconds / files * 1e6)


def _write(folder: Path, name: str, data: bytes) -> float:
    started = time.perf_counter()
    file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
    return time.perf_counter() - started
