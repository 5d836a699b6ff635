"""The work itself, without a queue or a ledger: a decoded picture and a spec in, a picture out."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from cutgate.jobs.errors import SubjectNotFound
from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.composition.layout import box_of
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.matting.compose import to_16_bit
from cutgate.worker.cutout.pipeline import (
    Found,
    Frame,
    filled,
    finding_steps,
    found_in,
    making_steps,
    run_steps,
    select_region,
    take_found,
)
from cutgate.worker.cutout.raster.arrays import LIKELY, Levels
from cutgate.worker.cutout.reading import USUAL, Reading
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.images import SourceImage


class Memory(Protocol):
    """What was found of one picture, by one network, with the same settings; all but how it is shown."""

    def recall(self) -> Found | None:
        """What was kept; None where nothing was, or it had to go."""

    def keep(self, found: Found) -> None:
        """Keep it, as far as there is room."""


def cut_out(
    source: SourceImage,
    spec: CutoutSpec,
    predict: Predict,
    check: Callable[[], None],
    ended: Callable[[str], None] | None = None,
    reading: Reading = USUAL,
    memory: Memory | None = None,
) -> Picture:
    """Make the result of one picture.

    Args:
        source: the decoded picture.
        spec: what to do with it.
        predict: the network; it is shown sRGB, whatever profile the picture keeps.
        check: called between steps; what it raises ends the work.
        ended: called after each step with its name.
        reading: what the network's map means.
        memory: saves the network its work where that was done before; the result is the same.

    Returns:
        A cut-out or a mask, with the picture's profile, its density, and whose it is; nothing of the composition
        but the region of interest and `hard_inside`.

    Raises:
        RegionOutsidePicture, RegionEmpty: of the region of interest.
        SubjectNotFound: there is less of a subject than the composition accepts.
    """
    height_px, width_px = source.rgb.shape[:2]
    region, least_share = spec.composing.region_of_interest, spec.composing.least_subject_share
    box = spec.box if region is None else box_of(region, height_px, width_px)
    frame = Frame(
        picture=source.over_backdrop(),
        source_alpha=source.alpha,
        own_colours=None if source.alpha is None else source.rgb,
    )
    found = None if memory is None else memory.recall()
    if found is None:
        upright = spec.model_copy(update={"box": box})
        steps = finding_steps(upright, lambda view: predict(source.to_srgb(view)), reading)
        frame = run_steps(steps, frame, check, ended)
        if memory is not None:
            memory.keep(found_in(frame))
    else:
        frame = run_steps((select_region(box), take_found(found)), frame, check, ended)
    frame = run_steps(making_steps(spec), frame, check, ended)
    check()
    result: Levels = filled(frame.result)
    if least_share is not None:
        _require_subject(result if result.ndim == 2 else result[..., 3], least_share)
    subject_found = filled(frame.subject_found)
    if spec.output is Output.MASK:
        return Picture(pixels=result, dpi=source.dpi, rights=source.rights, subject_found=subject_found)
    if source.samples is not None:
        result = to_16_bit(np.asarray(result, np.uint8), source.rgb, source.samples)
    return Picture(
        pixels=result,
        icc_profile=source.icc_profile,
        dpi=source.dpi,
        rights=source.rights,
        subject_found=subject_found,
    )


def _require_subject(alpha: Levels, least_share: float) -> None:
    """Make sure that there is enough of a subject.

    Raises:
        SubjectNotFound: there is not.
    """
    share = np.count_nonzero(alpha >= LIKELY) / alpha.size
    if share < least_share:
        raise SubjectNotFound("no subject was found in the picture", share=share, least_share=least_share)
