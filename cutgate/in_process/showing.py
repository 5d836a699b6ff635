"""How a caller's options want a cut-out to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cutgate.colours import colour_of
from cutgate.in_process.sources import source_of
from cutgate.jobs.composition import Composition, composition_of
from cutgate.worker.pictures.finish import Finish

if TYPE_CHECKING:
    from cutgate.jobs.spec import Colour
    from cutgate.worker.settings import WorkerSettings

_COMPOSING: Final = (
    *("region_of_interest", "opaque_inside", "megapixels", "crop_margin", "scale", "position", "shadow"),
)
"""Options that are parts of a composition."""


def finish_for(options: Mapping[str, Any], settings: WorkerSettings, *, is_mask: bool) -> Finish:
    """What some of `CutoutOptions` say of it; the file's format is left open.

    Args:
        options: a value of None is as if the option were not there.
        settings: bounds of pictures.
        is_mask: what is shown.

    Raises:
        CutoutError: the background is no picture that can be read, or is over a limit.
        OSError: its file cannot be read.
        ValueError: an option is wrong, the text names it; or two exclude each other.
    """
    given = {name: value for name, value in options.items() if value is not None}
    composition = composition_of(**{name: given[name] for name in _COMPOSING if name in given}) or Composition()
    if is_mask and (given.keys() & {"background", "background_image"}):
        raise ValueError("a mask has no background")
    if is_mask and composition.shadow is not None:
        raise ValueError("a mask has no shadow")
    if {"background", "background_image"} <= given.keys():
        raise ValueError("background and background_image exclude each other")
    background: Any = None
    if "background" in given:
        background = _colour_of(given["background"])
    elif "background_image" in given:
        background = source_of(given["background_image"], settings, keep_16_bit=False).rgb
    return Finish(background=background, composition=composition)


def _colour_of(value: Any) -> Colour:
    if isinstance(value, str):
        return colour_of(value)
    levels = (*value, 255) if len(value) == 3 else tuple(value)
    if len(levels) != 4 or not all(isinstance(level, int) and 0 <= level <= 255 for level in levels):
        raise ValueError("background: a colour has three or four levels, whole numbers from 0 to 255")
    red, green, blue, alpha = levels
    return red, green, blue, alpha
