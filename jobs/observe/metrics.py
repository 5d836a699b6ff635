"""Counts what happens in this process, by the rows of `metric_names`, and shows it to Prometheus.

Like the log, the counts belong to the process: whoever sees something happen says so, and only an entry point
decides whether anybody can look. Counting takes a few microseconds, whether anybody does or not.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
    values,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from typing_extensions import override

from cutgate.jobs.observe.metric_names import METRICS, OPEN, Kind, Metric, Part

Instrument = Counter | Gauge | Histogram
Made = TypeVar("Made", bound=Instrument)

_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY: Final = "/dev/shm"  # noqa: S108 — the folders in it have names that nobody can foresee
_OWN: Final = CollectorRegistry()
"""What this process alone counts; empty of what its libraries would add."""
_instruments: Final[dict[Metric, Instrument]] = {}
_making: Final = threading.Lock()

# The library would share values through a folder that it finds in the environment, which is another program's.
values.ValueClass = values.MutexValue
disable_created_metrics()


class PortUnavailable(Exception):
    """Metrics cannot be shown where the settings say."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"metrics cannot be shown at {host}, port {port}: {reason}")


def count(metric: Metric, amount: float = 1, **labels: object) -> None:
    """Add to a counter."""
    _at(metric, labels, Counter).inc(amount)


def change(metric: Metric, amount: float, **labels: object) -> None:
    """Add to a gauge, or take from it."""
    _at(metric, labels, Gauge).inc(amount)


def observe(metric: Metric, value: float, **labels: object) -> None:
    """Sort a value into a histogram."""
    _at(metric, labels, Histogram).observe(value)


@contextmanager
def timed(metric: Metric, **labels: object) -> Iterator[None]:
    """Observe how many seconds the block took, or the function that this decorates, unless it raised."""
    started = time.perf_counter()
    yield
    observe(metric, time.perf_counter() - started, **labels)


def begin(part: Part) -> None:
    """Show what a process counts from its start on, as 0: a rate needs the value before the first event."""
    for metric in METRICS:
        if part not in metric.parts:
            continue
        instrument = _instrument(metric)
        if metric.labels and OPEN not in metric.labels.values():
            for combination in product(*metric.labels.values()):
                instrument.labels(*combination)


def share_between_processes(folder: Path, identity: Callable[[], str | int] = os.getpid) -> None:
    """Let processes that are forked from now on count together, in files of a folder.

    To be called once, before anything is counted.

    Args:
        folder: an empty one.
        identity: tells the present process from the others that live. A name that passes on to a process's
            successor lets it go on counting where that one ended.
    """
    if _instruments:
        raise RuntimeError("metrics are shared before anything is counted")
    os.environ[_FOLDER_VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(identity)


def folder_parent() -> str | None:
    """Where to make the folder of processes that share; None for the usual place of temporary ones.

    In memory, if the system has a place for it: a disk that is full would end a process that counts, by a signal.
    """
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def process_gone(identity: str | int) -> None:
    """Forget the gauges of a process that was forked and has ended; what it counted stays."""
    if _shared():
        mark_process_dead(identity, os.environ[_FOLDER_VARIABLE])


def registry(further: Iterable[Collector] = ()) -> CollectorRegistry:
    """What a scrape shows: what is counted here, or in all processes that share, and further metrics."""
    shown = CollectorRegistry()
    shown.register(_Processes(Path(os.environ[_FOLDER_VARIABLE])) if _shared() else _OWN)
    for collector in further:
        shown.register(collector)
    return shown


@contextmanager
def served(host: str, port: int | None) -> Iterator[None]:
    """Answer scrapes from a thread as long as the block lasts; without a port do nothing.

    A process that is forked meanwhile does not hold the port.

    Raises:
        PortUnavailable: the port is taken, or the address is not this machine's.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry())
    except OSError as error:
        raise PortUnavailable(host, port, error.strerror or str(error)) from None
    os.register_at_fork(after_in_child=server.socket.close)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True)
class _Processes(Collector):
    """What processes count in the files of a folder.

    A file is empty until its process sets its size. The library's own collector reads it all the same and fails:
    once, or for good where that process was killed in between (client_python, issue 1199).
    """

    folder: Path

    @override
    def collect(self) -> Iterable[Family]:
        files = [str(file) for file in self.folder.iterdir() if _size_bytes(file)]
        merged: Iterable[Family] = MultiProcessCollector.merge(files)
        return merged


def _size_bytes(file: Path) -> int:
    """The length of a file; 0 where it is gone, as those of gauges go with their processes."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _shared() -> bool:
    return values.ValueClass is not values.MutexValue


def _at(metric: Metric, labels: dict[str, object], kind: type[Made]) -> Made:
    instrument = _instrument(metric)
    if not isinstance(instrument, kind):
        raise TypeError(f"{metric.name} is a {metric.kind}")
    return instrument.labels(**labels) if labels else instrument


def _instrument(metric: Metric) -> Instrument:
    """What counts for a row, made when it is first asked for: how depends on the entry point."""
    made = _instruments.get(metric)
    if made is None:
        with _making:
            made = _instruments.get(metric) or _make(metric)
            _instruments[metric] = made
    return made


def _make(metric: Metric) -> Instrument:
    labels = tuple(metric.labels)
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.name, metric.help, labels, registry=_OWN)
        case Kind.GAUGE:
            # Of a process that has ended, a gauge says nothing.
            return Gauge(metric.name, metric.help, labels, registry=_OWN, multiprocess_mode="livesum")
        case Kind.HISTOGRAM:
            return Histogram(metric.name, metric.help, labels, registry=_OWN, buckets=metric.buckets)
