"""Corrections of results: what is right about one is what the same correction gives where nothing disturbs it."""

import io
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError
from typing_extensions import override

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.limits import SourceLimits
from cutgate.worker.cut_out import cut_out
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image
from cutgate.worker.process.corrections import read_mask, soft_of
from tests.chaos.pictures import Picture
from tests.chaos.service import Service

STROKE_PX: Final = (90, 58)
"""Where no picture has its subject."""
STROKE_RADIUS_PX: Final = 3


@dataclass(frozen=True, slots=True)
class Corrected(Picture):
    """A picture whose corner was kept by a stroke."""

    right: bytes | None = None
    """The result, once that is known."""

    @override
    def fits(self, result: bytes) -> bool:
        """Whether a result is this very file, and shows the subject and the stroke."""
        try:
            with Image.open(io.BytesIO(result)) as opened:
                alpha = np.asarray(opened.getchannel(opened.getbands()[-1]))
        except (OSError, UnidentifiedImageError):
            return False
        inside, _ = self.surely()
        return result == self.right and alpha[STROKE_PX[::-1]] > 200 and bool(alpha[inside].min() > 200)


def with_right_result(service: Service, account: str, uid: TaskUid, one: Picture) -> Picture:
    """A corrected picture with the file that this process makes of what the task was made from."""
    kept = service.ledger.tasks.kept(uid, 0, account) if isinstance(one, Corrected) else None
    if kept is None or not isinstance(one, Corrected):
        return one
    blobs = FileBlobStore(service.blob_dir)
    source = read_image(blobs.get(kept.source), SourceLimits(max_bytes=2**20, max_pixels=10**6, max_side_px=2_000))
    made = cut_out(source, kept.spec, read_mask(blobs.get(kept.mask)), lambda: None, soft=soft_of(kept.mask))
    return replace(one, right=finish(made, Finish.of(kept.spec)).data)
