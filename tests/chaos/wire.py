"""The network between the service's processes and Redis, which can be cut and can lose replies."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from tests.servers.relay import Relay


class Wire(Relay):
    """Passes everything on until it is told otherwise."""

    def __init__(self, address: Path, upstream: str, lost: Callable[[], None]) -> None:
        """Make a wire; `lost` is called for each reply that is lost."""
        super().__init__(upstream, str(address))
        self.loss_chance = 0.0
        """Chance in [0, 1] that a connection breaks in place of a reply."""
        self._lost = lost
        self._whole = threading.Event()
        self._whole.set()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing through as long as the block lasts; nobody is told, as when a cable is pulled."""
        self._whole.clear()
        try:
            yield
        finally:
            self._whole.set()

    @override
    def passes(self, *, reply: bool) -> bool:
        self._whole.wait()
        if not reply or random.random() >= self.loss_chance:
            return True
        self._lost()
        return False
