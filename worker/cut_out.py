"""The work itself, without a queue or a ledger: a decoded picture and a spec in, a picture out."""

from collections.abc import Callable

import numpy as np

from cutgate.jobs.errors import SubjectNotFound
from cutgate.jobs.spec import CutoutSpec, Output
from cutgate.worker.composition.layout import box_of
from cutgate.worker.cutout.mask.segment import Predict, Soft
from cutgate.worker.cutout.matting.compose import to_16_bit
from cutgate.worker.cutout.pipeline import Frame, finding_steps, making_steps, required, run_steps
from cutgate.worker.cutout.raster.arrays import LIKELY, ByteMask, Levels
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.images import SourceImage


def cut_out(
    source: SourceImage,
    spec: CutoutSpec,
    find: Predict | ByteMask,
    check: Callable[[], None],
    ended: Callable[[str], None] | None = None,
    soft: Soft = Soft.DOUBT,
    found: Callable[[ByteMask], None] | None = None,
) -> Picture:
    """Make the result of one picture.

    Args:
        source: the decoded picture.
        spec: what to do with it.
        find: the network, which is shown sRGB, whatever profile the picture keeps; or the mask that it gave.
        check: called between steps; what it raises ends the work.
        ended: called after each step with its name.
        soft: what the soft levels of the network's map mean.
        found: told of the mask, for `find` to have it another time.

    Returns:
        A cut-out or a mask, with the picture's profile, its density, and whose it is; nothing of the composition
        but the region of interest and `hard_inside`.

    Raises:
        RegionOutsidePicture, RegionEmpty: of the region of interest.
        SubjectNotFound: there is less of a subject than the composition accepts.
        ValueError: a mask that is given has another size than the picture and its box.
    """
    height_px, width_px = source.rgb.shape[:2]
    region, least_share = spec.composing.region_of_interest, spec.composing.least_subject_share
    box = spec.box if region is None else box_of(region, height_px, width_px)
    frame = Frame(
        picture=source.over_backdrop(),
        source_alpha=source.alpha,
        own_colours=None if source.alpha is None else source.rgb,
    )
    shown = (lambda view: find(source.to_srgb(view))) if callable(find) else find
    spec = spec.model_copy(update={"box": box})
    frame = run_steps(finding_steps(spec, shown, soft), frame, check, ended)
    if found is not None:
        found(required(frame.mask))
    frame = run_steps(making_steps(spec, soft), frame, check, ended)
    check()
    result: Levels = required(frame.result)
    if least_share is not None:
        _require_subject(result if result.ndim == 2 else result[..., 3], least_share)
    is_mask = spec.output is Output.MASK
    if source.samples is not None and not is_mask:
        result = to_16_bit(np.asarray(result, np.uint8), source.rgb, source.samples)
    return Picture(
        pixels=result,
        icc_profile=None if is_mask else source.icc_profile,
        dpi=source.dpi,
        rights=source.rights,
        subject_found=required(frame.subject_found),
        confidence=frame.confidence,
    )


def _require_subject(alpha: Levels, least_share: float) -> None:
    """Make sure that there is enough of a subject."""
    share = np.count_nonzero(alpha >= LIKELY) / alpha.size
    if share < least_share:
        raise SubjectNotFound("no subject was found in the picture", share=share, least_share=least_share)
