"""LRU cache of alpha masks, per account: another composition of a picture needs no run of the network."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from isal import isal_zlib

from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cutout.pipeline import Found

_SHOWING: Final = {"output", "background", "file_format", "quality", "composition"}
"""What of a spec has no part in finding the subject; of a composition the region of interest has."""
_LEVEL: Final = 1
MASKS_BYTES: Final = 32 * 2**20
"""Memory of a worker for masks."""


@dataclass(frozen=True, slots=True)
class _Packed:
    alpha: bytes
    shape: tuple[int, ...]
    refined: bool
    subject_found: bool

    @classmethod
    def of(cls, found: Found) -> Self:
        data = isal_zlib.compress(np.ascontiguousarray(found.alpha), _LEVEL)
        return cls(data, found.alpha.shape, found.refined, found.subject_found)

    def unpacked(self) -> Found:
        levels = np.frombuffer(isal_zlib.decompress(self.alpha), np.uint8)
        return Found(alpha=levels.reshape(self.shape), refined=self.refined, subject_found=self.subject_found)


class KeptMasks:
    """The masks that were used last; for any threads.

    Args:
        max_bytes: of all together, packed; with 0 none is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._lock = threading.Lock()
        self._masks: OrderedDict[str, _Packed] = OrderedDict()

    def of(self, account: str, data: bytes, spec: CutoutSpec, *, keeps_16_bit: bool) -> KeptMask | None:
        """The place of one picture's mask; None where none is kept, or the spec has no composition.

        Args:
            account: whose item it is: how soon one ends tells nobody what others had cut out.
            data: of the source's file.
            spec: what to do with it.
            keeps_16_bit: whether it is read in that way: its colours at 8 bits may then be others.
        """
        if not self._max_bytes or spec.composition is None:
            return None
        region = spec.composition.region_of_interest
        said = (
            account,
            hashlib.sha256(data).hexdigest(),
            spec.model_dump_json(exclude=_SHOWING),
            "" if region is None else region.model_dump_json(),
            str(keeps_16_bit),
        )
        return KeptMask(self, " ".join(said))

    def get(self, key: str) -> Found | None:
        """What was found; of all that is kept it now goes last."""
        with self._lock:
            packed = self._masks.get(key)
            if packed is not None:
                self._masks.move_to_end(key)
        return None if packed is None else packed.unpacked()

    def put(self, key: str, found: Found) -> None:
        """Keep what was found; what was used the longest ago goes for it."""
        packed = _Packed.of(found)
        with self._lock:
            replaced = self._masks.pop(key, None)
            self._masks[key] = packed
            self._bytes += len(packed.alpha) - (0 if replaced is None else len(replaced.alpha))
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._masks.popitem(last=False)[1].alpha)


@dataclass(frozen=True, slots=True)
class KeptMask:
    """The place of one picture's mask; a `Memory` of `cut_out`."""

    masks: KeptMasks
    key: str

    def recall(self) -> Found | None:
        """See `Memory`."""
        return self.masks.get(self.key)

    def keep(self, found: Found) -> None:
        """See `Memory`."""
        self.masks.put(self.key, found)
