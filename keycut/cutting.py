"""Many pictures through one client: where each result goes, several at a time, one bar for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keycut.client import Job, JobStatus
from keycut.errors import KeycutError
from keycut.finishing import SUFFIXES, named_for

AT_ONCE: Final = 4
"""Pictures on their way at a time: enough to keep the workers busy while others are sent and fetched."""


@dataclass(frozen=True, slots=True)
class Order:
    """One picture and the file for its result."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Failure:
    """One picture that was not cut out, and why."""

    source: Path
    error: KeycutError | OSError


def plan(sources: Sequence[Path], output: Path, file_format: str = "png") -> list[Order]:
    """Say where each result goes: `output` itself for one picture, a file in the folder `output` for several.

    Args:
        sources: the pictures.
        output: a file or a folder; the suffix of another format is replaced by that of `file_format`.
        file_format: one of `SUFFIXES`.

    Raises:
        ValueError: two results, or a result and a source, would be one file.
    """
    single = named_for(output, file_format)
    into_folder = len(sources) > 1 or output.is_dir()
    orders = [
        Order(source, output / f"{source.stem}{SUFFIXES[file_format][0]}" if into_folder else single)
        for source in sources
    ]
    taken = {source.resolve() for source in sources}
    for order in orders:
        target = order.target.resolve()
        if target in taken:
            raise ValueError(f"{order.target} is a picture or another one's result; choose another output")
        taken.add(target)
    return orders


def cut_all(
    orders: Sequence[Order],
    submit: Callable[[Path], Job],
    save: Callable[[Job, Path], object],
    *,
    timeout_seconds: float,
    console: Console,
    on_saved: Callable[[Path], None],
) -> list[Failure]:
    """Cut out all pictures; one that fails does not stop the others.

    Args:
        orders: what to do.
        submit: hands a picture in.
        save: writes a job's result to a file.
        timeout_seconds: how long to wait for one picture.
        console: shows the progress if it is a terminal.
        on_saved: called with each result's file, in the order in which they are ready.

    Returns:
        What failed, in the order of `orders`.
    """
    given_up = threading.Event()

    def look(_: JobStatus) -> None:
        if given_up.is_set():
            raise _GivenUp

    def work(order: Order) -> None:
        job = submit(order.source)
        job.wait(timeout_seconds=timeout_seconds, on_status=look)
        order.target.parent.mkdir(parents=True, exist_ok=True)
        save(job, order.target)

    failures: dict[Path, Failure] = {}
    with progress_bar(console) as progress, ThreadPoolExecutor(AT_ONCE) as pool:
        bar = progress.add_task("Cutting out", total=len(orders))
        running = {pool.submit(work, order): order for order in orders}
        try:
            for done in as_completed(running):
                order = running[done]
                failure = _failure(done, order.source)
                if failure is None:
                    on_saved(order.target)
                else:
                    failures[order.source] = failure
                progress.advance(bar)
        except BaseException:  # Ctrl-C above all: the pool would otherwise wait for pictures that nobody wants
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [failures[order.source] for order in orders if order.source in failures]


class _GivenUp(Exception):
    """The caller has stopped waiting."""


def _failure(done: Future[None], source: Path) -> Failure | None:
    try:
        done.result()
    except (KeycutError, OSError) as error:
        return Failure(source, error)
    return None


def progress_bar(console: Console) -> Progress:
    """A bar that is seen on a terminal only and leaves nothing behind."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
