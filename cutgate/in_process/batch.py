"""Many pictures that this process cuts out: one is read or written while the network sees another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cutgate.batches.batch import Batch, Recipe
from cutgate.batches.journal import Entry, Journal
from cutgate.batches.planning import PlannedPicture
from cutgate.formats import format_for
from cutgate.in_process.options import CutoutOptions
from cutgate.in_process.remover import Remover
from cutgate.protocol.calls import JobHandle
from cutgate.protocol.connection import Download
from cutgate.protocol.flows import Flow, in_thread

_AT_WORK: Final[set[int]] = set()
"""Threads that compute."""


def is_at_work() -> bool:
    """Whether a thread computes. Its native code aborts a process that ends around it in the ordinary way."""
    return bool(_AT_WORK)


@contextmanager
def at_work() -> Iterator[None]:
    """Count this thread among those that compute for the length of a block."""
    _AT_WORK.add(threading.get_ident())
    try:
        yield
    finally:
        _AT_WORK.discard(threading.get_ident())


class InProcessBatch(Batch):
    """Pictures that a remover cuts out: by the options, in the format of the recipe's suffix."""

    def __init__(
        self,
        remover: Remover,
        journal: Journal,
        recipe: Recipe,
        options: CutoutOptions,
        *,
        quality: int | None,
    ) -> None:
        super().__init__(journal, recipe)
        self._remover, self._options = remover, options
        self._file_format, self._quality = format_for(f"result{recipe.suffix}"), quality

    def _content(self, picture: PlannedPicture, _entry: Entry, _handle: JobHandle) -> Flow[Download]:
        """Cut a picture out; there is no task."""

        def made() -> Download:
            with at_work():
                cutout = self._remover.remove_background(picture.source.path, **self._options)
                data = cutout.to_bytes(self._file_format, quality=self._quality)
                return Download(data, cutout.subject_found, cutout.confidence)

        return (yield from in_thread(made))
