"""Options for cutting a picture out in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from cutgate.protocol.picpik import Settings

if TYPE_CHECKING:
    from cutgate.pictures import Picture


class Showing(TypedDict, total=False):
    """How a cut-out is shown, whatever was done to make it."""

    background: str | tuple[int, int, int] | tuple[int, int, int, int]
    """Colour behind the subject: `white`, `#rrggbb`, `#rrggbbaa`, or its levels in sRGB. Transparent otherwise."""
    background_image: Picture
    """Picture behind the subject, scaled to cover; it may be all that a picture may be."""
    megapixels: float
    """The result is made smaller to have no more; it is never enlarged."""
    crop_margin: int | str
    """Cut down to the subject and so much around: pixels, or one, two or four lengths clockwise from the top, px
    or % of the subject, such as `10px 5%`. Up to 500 px or 50 % count. The whole picture otherwise."""
    scale: float | str
    """The subject fits this share of both sides of the canvas, which is the picture or what is left of it by
    `crop_margin`: 0.8 or `80%`. As large as it is otherwise."""
    position: str | tuple[float, float]
    """Where the subject lies: `original`, `center`, or shares of the room that is left before it, such as
    `50% 100%` or (0.5, 1). `original` otherwise, and `center` with a `scale`."""
    shadow: bool | float | str
    """A soft shadow below the subject; its opacity, 0.5 otherwise, may be said: 0.3 or `30%`."""


class CutoutOptions(Settings, Showing, total=False):
    """The service's settings under the client's names, and what is made of the cut-out."""

    region_of_interest: str
    """Where the subject is looked for: left, top, right and bottom, px or %, such as `10% 10% 90% 90%`. All else
    is background. It and `box` exclude each other."""
    opaque_inside: bool
    """Whether half-transparent areas inside the subject, such as a car's windows, become opaque."""
    timeout_seconds: float
    """Give up after so long, which is looked at between the steps of the work; not at all otherwise."""


def require_consistent(options: Mapping[str, Any], *, is_mask: bool) -> None:
    """Refuse options that exclude each other, or what is shown.

    Raises:
        ValueError: they do.
    """
    given = {name for name, value in options.items() if value is not None and value is not False}
    if given >= {"background", "background_image"}:
        raise ValueError("background and background image exclude each other")
    if is_mask and given & {"background", "background_image"}:
        raise ValueError("a mask has no background")
    if is_mask and "shadow" in given:
        raise ValueError("a mask has no shadow")
