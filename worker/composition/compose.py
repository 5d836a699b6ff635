"""Arranges a cut-out, or its mask, as a composition asks; the background follows when the file is written."""

from dataclasses import dataclass

from cutgate.jobs.composition import Composition
from cutgate.worker.composition.backdrop import subject_box
from cutgate.worker.composition.layout import layout_of
from cutgate.worker.composition.resampling import placed
from cutgate.worker.composition.shadow import with_shadow
from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.cutout.raster.geometry import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What becomes known of a cut-out when it is composed."""

    full_size_px: tuple[int, int]
    """Width and height, as they would be without `max_pixels`."""
    foreground: Region | None
    """The subject's box in the picture that was given; None where there is no subject."""


def arrange_on_canvas(pixels: Levels, how: Composition, most_pixels: int | None = None) -> tuple[Levels, Facts]:
    """Crop, scale, place and shade a cut-out.

    Args:
        pixels: (height, width, 4) with straight alpha, or (height, width) of a mask, which has no shadow.
        how: all that needs no network counts, but for the background.
        most_pixels: of the result, whatever is asked for: margins may make it larger than the picture.

    Returns:
        As many channels, of the same depth; and what became known.
    """
    height_px, width_px = pixels.shape[:2]
    subject = subject_box(pixels if pixels.ndim == 2 else pixels[..., 3])
    full = how.model_copy(update={"max_pixels": None})
    full_size_px = layout_of(height_px, width_px, subject, full, most_pixels).size_px
    layout = layout_of(height_px, width_px, subject, how, most_pixels)
    result = placed(pixels, layout)
    if how.shadow is not None and result.ndim == 3:
        on_canvas = subject_box(result[..., 3])
        if on_canvas is not None:
            result = with_shadow(result, on_canvas, how.shadow.opacity)
    return result, Facts(full_size_px=full_size_px, foreground=subject)
