"""From options to composition, background and format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cutgate.colours import colour_of
from cutgate.in_process.sources import Source, source_of
from cutgate.jobs.composition import Composition, composition_of
from cutgate.worker.pictures.finish import Finish

if TYPE_CHECKING:
    from cutgate.jobs.spec import Colour
    from cutgate.worker.settings import WorkerSettings

_COMPOSING: Final = (
    *("region_of_interest", "opaque_inside", "megapixels", "crop_margin", "scale", "position", "shadow"),
)
"""Options that are parts of a composition."""


def finish_for(options: Mapping[str, Any], *, is_mask: bool) -> Finish:
    """What some of `CutoutOptions` say of it; the file's format, and a picture behind it, are left open.

    Args:
        options: a value of None is as if the option were not there.
        is_mask: what is shown.

    Raises:
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
    background = _colour_of(given["background"]) if "background" in given else None
    return Finish(background=background, composition=composition)


def behind_of(options: Mapping[str, Any], settings: WorkerSettings) -> Source | None:
    """The picture behind the subject, where the options name one.

    Raises:
        CutoutError: it cannot be read, or is over a limit.
        OSError: its file cannot be read.
        TypeError, ValueError: as `source_of`.
    """
    picture = options.get("background_image")
    return None if picture is None else source_of(picture, settings, keep_16_bit=False)


def _colour_of(value: Any) -> Colour:
    if isinstance(value, str):
        return colour_of(value)
    levels = (*value, 255) if len(value) == 3 else tuple(value)
    if len(levels) != 4 or not all(isinstance(level, int) and 0 <= level <= 255 for level in levels):
        raise ValueError("background: a colour has three or four levels, whole numbers from 0 to 255")
    red, green, blue, alpha = levels
    return red, green, blue, alpha
