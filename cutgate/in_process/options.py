"""Options for cutting a picture out in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from cutgate.protocol.picpik import Appearance, Settings

if TYPE_CHECKING:
    from cutgate.pictures import Picture


class Showing(Appearance, total=False):
    """How a cut-out is shown, whatever was done to make it."""

    background_image: Picture
    """Picture behind the subject, scaled to cover; it may be all that a picture may be."""


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


def options_for(given: Mapping[str, Any], file_format: str | None) -> CutoutOptions:
    """Options for a file; a JPEG without a background lies over white, as a service has it."""
    is_bare = {"background", "background_image", "only_mask"}.isdisjoint(given)
    over_white = {"background": "#ffffff"} if file_format == "jpeg" and is_bare else {}
    return cast("CutoutOptions", {**given, **over_white})
