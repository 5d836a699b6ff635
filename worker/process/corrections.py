"""Masks that stay beside results, so that a cut-out can be corrected without its network."""

from dataclasses import dataclass

import cv2
import numpy as np

from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import MATTE, BlobKey, mask_key
from cutgate.jobs.record import Claim
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.pictures.png import write_png


@dataclass(slots=True)
class FoundMask:
    """The mask of one item on its way from the cut-out to the blob store."""

    soft: Soft = Soft.DOUBT
    mask: ByteMask | None = None
    size_bytes: int = 0
    """How long the picture is, and the mask once there is a blob of it."""

    def keep(self, mask: ByteMask) -> None:
        """Take the mask that the cut-out is made from."""
        self.mask = mask

    def as_blob(self, claim: Claim) -> tuple[BlobKey, bytes]:
        """Where it goes, and a PNG of it."""
        assert self.mask is not None
        key = mask_key(claim.task, claim.index, claim.token, is_matte=self.soft is Soft.ALPHA)
        data = write_png(self.mask)
        self.size_bytes += len(data)
        return key, data


def read_mask(data: bytes) -> ByteMask:
    """The inverse of `FoundMask.as_blob`.

    Raises:
        BlobMissing: it is no PNG.
    """
    # OpenCV raises where there is nothing.
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if mask is None:
        raise BlobMissing("the mask that was kept cannot be read")
    return np.asarray(mask, np.uint8)


def soft_of(mask: BlobKey) -> Soft:
    """What the soft levels of a kept mask mean."""
    return Soft.ALPHA if mask.role == MATTE else Soft.DOUBT
