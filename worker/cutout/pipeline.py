"""From a picture to a cut-out, as a list of steps."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias, TypeVar

import numpy as np

from cutgate.jobs.spec import Box, CutoutSpec, Holes, Output, Refinement, Stroke, Thresholds
from cutgate.worker.cutout.confidence import confidence_of
from cutgate.worker.cutout.mask.in_box import map_of_box
from cutgate.worker.cutout.mask.segment import Predict, Soft, look_at
from cutgate.worker.cutout.mask.strokes import corrected
from cutgate.worker.cutout.mask.tidy import tidied
from cutgate.worker.cutout.mask.zoom_in import zoom_in
from cutgate.worker.cutout.matting import matte
from cutgate.worker.cutout.matting.compose import with_own_colours, with_straight_alpha
from cutgate.worker.cutout.matting.foreground import unmix_colours
from cutgate.worker.cutout.matting.inside import fill_holes, fill_veils, opaque_inside
from cutgate.worker.cutout.matting.trimap import (
    NO_THRESHOLDS,
    has_subject,
    keep_known,
    knows_both_sides,
    make_trimap,
)
from cutgate.worker.cutout.matting.zones import Zones, zones_of
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbaImage, RgbImage
from cutgate.worker.cutout.raster.filters import bounds, looked_up
from cutgate.worker.cutout.raster.geometry import Region, region_of

SURROUNDINGS_PX: Final = 48
"""What is worked on around the subject, at the working size: hair reaches beyond the mask, and the background's
colours are learned there."""

WORTH_CROPPING: Final = 0.5
"""A subject that takes more of the picture, with its surroundings, is not cropped."""

Filled = TypeVar("Filled")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture on its way. A step returns a new frame with more of it filled.

    `picture` and what is the source's own have the size of the oriented picture, and so has `result` at the end.
    All else has the size of `region`: the picture outside it is background and is not worked on.
    """

    picture: RgbImage
    source_alpha: ByteMask | None = None
    """The picture's own alpha, where it has one."""
    own_colours: RgbImage | None = None
    """The picture's colours without what shows through its own alpha, where `picture` has that in it."""

    box: Region | None = None
    """The part of the picture that the result may show."""
    region: Region | None = None
    """The part that is worked on: the whole picture, or the box; from `cut_to_box` on the box."""
    whole_px: int = 0
    """Long side of what the network was shown, of which `region` may be a part: it says how large `small` is."""
    mask: ByteMask | None = None
    """How surely each pixel belongs to the subject; 8 bits, for it may be as large as the picture."""

    small: ByteMask | None = None
    """`mask` at the working size."""

    known: ByteMask | None = None
    """A trimap of what strokes make known, as large as `mask`; None where there are none."""

    subject_found: bool | None = None
    """Whether the mask shows anything; where it does not, alpha is 0 everywhere."""

    confidence: float | None = None
    """How likely the cut-out is right, 0 to 1; None where the mask is a matte, whose grey is no doubt."""

    refined: bool = False
    """Whether alpha and colours are estimated from colour."""

    zones: Zones | None = None
    """Where in the unknown band alpha is estimated, and how much that counts."""

    working: RgbImage | None = None
    """The region of the picture at the working size."""

    alpha: ByteMask | None = None
    result: RgbaImage | ByteMask | None = None
    """The cut-out, or for `Output.MASK` its alpha alone."""


Step: TypeAlias = Callable[[Frame], Frame]


class StepOutOfOrder(RuntimeError):
    """A step needs what no step before it has filled."""


def steps_for(spec: CutoutSpec, find: Predict | ByteMask, soft: Soft = Soft.DOUBT) -> tuple[Step, ...]:
    """Every step that a spec asks for, in order, for `run_steps`; they raise what `finding_steps` says."""
    return (*finding_steps(spec, find, soft), *making_steps(spec, soft))


def finding_steps(spec: CutoutSpec, find: Predict | ByteMask, soft: Soft) -> tuple[Step, ...]:
    """The steps to the mask that a cut-out is made from, before strokes change it.

    They raise `BoxOutsidePicture` where nothing of the spec's box lies in the picture, what `find` raises, and
    `ValueError` where it is a mask of another size than the picture or its box.

    Args:
        spec: what to do.
        find: the network, or the mask that it gave for this picture and box.
        soft: what the network's grey means.
    """
    select = partial(select_region, box=spec.box)
    if not callable(find):
        return select, partial(take_found, mask=find)
    finding = (find_subject, partial(zoom_in_pass, soft=soft), choose_by_box)
    return select, *(partial(step, predict=find) for step in finding)


def making_steps(spec: CutoutSpec, soft: Soft) -> Iterator[Step]:
    """The steps from there to the result; those up to `alpha` know nothing of how it is to be shown."""
    thresholds = Thresholds(spec.foreground_threshold, spec.background_threshold)
    raw = spec.refinement is Refinement.RAW
    is_matte = soft is Soft.ALPHA and spec.refinement in {Refinement.AUTO, Refinement.ON}
    if spec.strokes:
        yield partial(apply_strokes, strokes=spec.strokes)
    elif soft is not Soft.ALPHA:
        yield rate_mask
    if spec.tidy_mask:
        yield tidy_mask
    yield partial(detect_subject, thresholds=NO_THRESHOLDS if raw else thresholds)
    shown = NO_THRESHOLDS if raw or is_matte else thresholds
    yield partial(crop_to_subject, thresholds=shown, erode_px=spec.erode_px)
    refinement = Refinement.ON if is_matte else spec.refinement
    yield partial(choose_refinement, refinement=refinement, thresholds=thresholds, erode_px=spec.erode_px)
    estimate = partial(estimate_alpha, thresholds=thresholds, erode_px=spec.erode_px)
    yield take_mask if raw or is_matte else estimate
    if spec.holes is Holes.FILL:
        yield fill_enclosed
    yield cut_to_box
    if spec.composing.hard_inside:
        yield harden_inside
    yield give_mask if spec.output is Output.MASK else give_cutout
    yield restore_size


def run_steps(
    steps: Iterable[Step], frame: Frame, check: Callable[[], None], ended: Callable[[str], None] | None = None
) -> Frame:
    """Run the steps in order.

    Args:
        steps: from `steps_for`.
        frame: with what they build on.
        check: called before each; may raise to stop the work.
        ended: called after each with its name.
    """
    for step in steps:
        check()
        frame = step(frame)
        if ended is not None:
            ended(step_name(step))
    return frame


def step_name(step: Step) -> str:
    """The name of a step's function."""
    return str(getattr(step.func if isinstance(step, partial) else step, "__name__", type(step).__name__))


def required(value: Filled | None) -> Filled:
    """A field of a frame that an earlier step has filled.

    Raises:
        StepOutOfOrder: none has.
    """
    if value is None:
        raise StepOutOfOrder("a step ran before the one that it builds on")
    return value


def harden_inside(frame: Frame) -> Frame:
    """A step that makes `alpha` opaque inside the subject."""
    return replace(frame, alpha=opaque_inside(required(frame.alpha)))


def select_region(frame: Frame, box: Box | None) -> Frame:
    """A step that fills `box`, and `region` with the whole picture: there a network finds a subject best."""
    height_px, width_px = frame.picture.shape[:2]
    return replace(frame, box=region_of(box, height_px, width_px), region=region_of(None, height_px, width_px))


def find_subject(frame: Frame, predict: Predict) -> Frame:
    """A step that fills `mask` with what the network sees."""
    return _with_mask(frame, look_at(predict, frame.picture, required(frame.region)))


def zoom_in_pass(frame: Frame, predict: Predict, soft: Soft) -> Frame:
    """A step that changes `mask` where a closer map of the subject is better."""
    return _with_mask(frame, zoom_in(predict, frame.picture, required(frame.mask), soft, frame.small))


def choose_by_box(frame: Frame, predict: Predict) -> Frame:
    """A step that goes on with the box alone, and a map of its own, where the box chooses among subjects."""
    box = required(frame.box)
    mask = map_of_box(predict, frame.picture, required(frame.mask), required(frame.small), box)
    return frame if mask is None else _with_mask(replace(frame, region=box), mask)


def take_found(frame: Frame, mask: ByteMask) -> Frame:
    """A step that fills `mask` with one that was found before; of the size of the box it is the box's."""
    regions = (required(frame.region), required(frame.box))
    region = next((each for each in regions if (each.height_px, each.width_px) == mask.shape), None)
    if region is None:
        raise ValueError(f"the mask is {mask.shape}, the picture is {frame.picture.shape[:2]}")
    return _with_mask(replace(frame, region=region), mask)


def apply_strokes(frame: Frame, strokes: Sequence[Stroke]) -> Frame:
    """A step that corrects `mask`, and fills `known`."""
    mask, known = corrected(required(frame.mask), _working(frame), strokes, required(frame.region))
    return replace(_with_mask(frame, mask), known=known)


def rate_mask(frame: Frame) -> Frame:
    """A step that fills `confidence` from the mask as the network made it."""
    return replace(frame, confidence=confidence_of(required(frame.small), _seen(frame)))


def tidy_mask(frame: Frame) -> Frame:
    """A step that makes `mask` smooth and whole."""
    return _with_mask(frame, tidied(required(frame.mask)))


def detect_subject(frame: Frame, thresholds: Thresholds) -> Frame:
    """A step that fills `subject_found`."""
    return replace(frame, subject_found=has_subject(required(frame.small), thresholds))


def crop_to_subject(frame: Frame, thresholds: Thresholds, erode_px: int) -> Frame:
    """A step that goes on with the subject and its surroundings alone."""
    small, mask = required(frame.small), required(frame.mask)
    scale = max(mask.shape) / max(small.shape)
    seen = bounds((small >= max(1, thresholds.background)).view(np.uint8))
    beside_px = math.ceil(SURROUNDINGS_PX * scale) + erode_px
    close = seen.scaled(scale, scale).grown(beside_px, beside_px).clamped(*mask.shape)
    if not seen.area_px or close.area_px > WORTH_CROPPING * mask.size:
        return frame
    region = required(frame.region)
    part = np.ascontiguousarray(mask[close.index])
    return replace(
        frame,
        region=close.seen_in(region),
        whole_px=max(mask.shape),
        mask=part,
        known=None if frame.known is None else np.ascontiguousarray(frame.known[close.index]),
        small=matte.to_working_size(part, max(mask.shape)),
    )


def choose_refinement(frame: Frame, refinement: Refinement, thresholds: Thresholds, erode_px: int) -> Frame:
    """A step that fills `refined` and `zones`: everywhere as the spec says, or region by region."""
    if refinement not in {Refinement.AUTO, Refinement.ON}:
        return frame
    zones = zones_of(required(frame.small), thresholds, erode_px)
    return replace(frame, refined=True, zones=zones if refinement is Refinement.AUTO else zones.everywhere)


def estimate_alpha(frame: Frame, thresholds: Thresholds, erode_px: int) -> Frame:
    """A step that fills `alpha`. Pixels that the mask knows keep 0 or 255, whatever estimates the others."""
    if not required(frame.subject_found):
        return take_mask(frame)
    mask = required(frame.mask)
    trimap = make_trimap(mask, thresholds, erode_px)
    if frame.known is not None:
        trimap = keep_known(trimap, frame.known)
    if not knows_both_sides(trimap) or (frame.refined and min(mask.shape) < matte.MIN_SIDE_PX):
        alpha = keep_known(looked_up(mask, matte.PRIOR), trimap)
    elif not frame.refined:
        alpha = matte.stretch_between_thresholds(mask, trimap, thresholds, erode_px)
    else:
        working = _working(frame)
        small = working, required(frame.small)
        alpha = fill_veils(working, matte.refine(_seen(frame), mask, trimap, required(frame.zones), small))
        frame = replace(frame, working=working)
    return replace(frame, alpha=alpha)


def take_mask(frame: Frame) -> Frame:
    """A step that fills `alpha` with the mask as it is; with 0 where no subject was found."""
    mask = required(frame.mask)
    return replace(frame, alpha=mask if required(frame.subject_found) else np.zeros_like(mask))


def fill_enclosed(frame: Frame) -> Frame:
    """A step that makes `alpha` opaque in parts that the subject encloses and that do not show the background."""
    image = _working(frame)
    alpha = fill_holes(image, required(frame.alpha))
    return replace(frame, alpha=fill_veils(image, alpha) if frame.refined else alpha)


def cut_to_box(frame: Frame) -> Frame:
    """A step that cuts `alpha` to the box where more was worked on: within it nothing is other than without it."""
    box, region = required(frame.box), required(frame.region)
    inside = region.shared_with(box)
    if region == inside:
        return frame
    if not inside.area_px:
        inside, alpha = box, np.zeros((box.height_px, box.width_px), np.uint8)
    else:
        alpha = np.ascontiguousarray(required(frame.alpha)[inside.seen_from(region).index])
    return replace(frame, region=inside, mask=None, known=None, small=None, zones=None, working=None, alpha=alpha)


def give_mask(frame: Frame) -> Frame:
    """A step that fills `result` with alpha alone."""
    return replace(frame, result=_final_alpha(frame))


def give_cutout(frame: Frame) -> Frame:
    """A step that fills `result` with straight alpha and colours: the subject's own where alpha was estimated."""
    seen = _seen(frame)
    cutout = with_straight_alpha(seen, _final_alpha(frame))
    if frame.refined:
        unmix_colours(cutout, seen, required(frame.alpha), frame.working, frame.whole_px)
    if frame.own_colours is not None:
        own = with_own_colours(cutout[..., :3], seen, frame.own_colours[required(frame.region).index])
        cutout = with_straight_alpha(own, cutout[..., 3])
    return replace(frame, result=cutout)


def restore_size(frame: Frame) -> Frame:
    """A step that gives `result` the size of the picture, with nothing outside the region."""
    part, height_and_width = required(frame.result), frame.picture.shape[:2]
    if part.shape[:2] == height_and_width:
        return frame
    whole = np.zeros((*height_and_width, *part.shape[2:]), np.uint8)
    whole[required(frame.region).index] = part
    return replace(frame, result=whole)


def _final_alpha(frame: Frame) -> ByteMask:
    """The lesser of `alpha` and the source's own: its soft edge is in `alpha`, a product would count it twice."""
    alpha, source = required(frame.alpha), frame.source_alpha
    return alpha if source is None else np.minimum(alpha, source[required(frame.region).index])


def _with_mask(frame: Frame, mask: ByteMask) -> Frame:
    return frame if mask is frame.mask else replace(frame, mask=mask, small=matte.to_working_size(mask))


def _working(frame: Frame) -> RgbImage:
    """The region at the working size, as an earlier step made it, if one did."""
    return matte.to_working_size(_seen(frame), frame.whole_px) if frame.working is None else frame.working


def _seen(frame: Frame) -> RgbImage:
    return frame.picture[required(frame.region).index]
