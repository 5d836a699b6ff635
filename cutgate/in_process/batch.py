"""Many pictures that this process cuts out: one is read or written while the network sees another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cutgate.batches.batch import Batch, Content, Making
from cutgate.batches.journal import Entry, Journal
from cutgate.batches.planning import Order
from cutgate.in_process.options import CutoutOptions
from cutgate.in_process.remover import Remover
from cutgate.protocol.conversation import Ticket
from cutgate.protocol.flows import Flow, work

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
    """Pictures that a remover cuts out.

    Args:
        remover: of this process.
        journal: of the folder, entered.
        making: how results are made; its settings are not looked at.
        options: how pictures are cut out.
        file_format: of the results, `png`, `webp`, `jpeg` or `zip`.
        quality: of the results, where the format has one.
        again: whether to make results anew that are there.
    """

    def __init__(
        self,
        remover: Remover,
        journal: Journal,
        making: Making,
        options: CutoutOptions,
        *,
        file_format: str,
        quality: int | None,
        again: bool = False,
    ) -> None:
        super().__init__(journal, making, again=again)
        self._remover, self._options = remover, options
        self._file_format, self._quality = file_format, quality

    def _content(self, order: Order, _entry: Entry, _ticket: Ticket) -> Flow[Content]:
        """Cut a picture out; there is no task."""
        return (yield from work(lambda: self._made(order)))

    def _made(self, order: Order) -> Content:
        with at_work():
            cutout = self._remover.remove_background(order.source.path, **self._options)
            return Content(cutout.to_bytes(self._file_format, quality=self._quality), cutout.subject_found)
