"""The work itself, without a queue or a ledger: a decoded picture and a spec in, a picture out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.matting.compose import to_16_bit
from cutgate.worker.cutout.pipeline import Frame, filled, run_steps, steps_for
from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.cutout.reading import USUAL, Reading
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.images import SourceImage


def cut_out(
    source: SourceImage,
    spec: CutoutSpec,
    predict: Predict,
    check: Callable[[], None],
    ended: Callable[[str], None] | None = None,
    reading: Reading = USUAL,
) -> Picture:
    """Make the result of one picture.

    Args:
        source: the decoded picture.
        spec: what to do with it.
        predict: the network; it is shown sRGB, whatever profile the picture keeps.
        check: called between steps; what it raises ends the work.
        ended: called after each step with its name.
        reading: what the network's map means. What refines it is shown sRGB as well.

    Returns:
        A cut-out or a mask, with the picture's profile, its density, and whose it is.
    """
    frame = Frame(
        picture=source.over_backdrop(),
        source_alpha=source.alpha,
        own_colours=None if source.alpha is None else source.rgb,
    )
    refine = reading.refine
    if refine is not None:
        reading = replace(reading, refine=lambda view, trimap: refine(source.to_srgb(view), trimap))
    steps = steps_for(spec, lambda view: predict(source.to_srgb(view)), reading)
    frame = run_steps(steps, frame, check, ended)
    check()
    result: Levels = filled(frame.result)
    found = filled(frame.subject_found)
    if spec.output is Output.MASK:
        return Picture(pixels=result, dpi=source.dpi, rights=source.rights, subject_found=found)
    if source.samples is not None:
        result = to_16_bit(np.asarray(result, np.uint8), source.rgb, source.samples)
    return Picture(
        pixels=result,
        icc_profile=source.icc_profile,
        dpi=source.dpi,
        rights=source.rights,
        subject_found=found,
    )
