"""How a picture is cut out in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutgate.protocol.picpik import Settings

if TYPE_CHECKING:
    from cutgate.pictures import Picture


class CutoutOptions(Settings, total=False):
    """The service's settings under the client's names, what lies behind the subject, how long it may take."""

    background: str | tuple[int, int, int] | tuple[int, int, int, int]
    """Colour behind the subject: `white`, `#rrggbb`, `#rrggbbaa`, or its levels in sRGB. Transparent otherwise."""
    background_image: Picture
    """Picture behind the subject, scaled to cover; it may be all that a picture may be."""
    crop_margin: int
    """Cut down to the subject and so many pixels around; the whole picture otherwise."""
    timeout_seconds: float
    """Give up after so long, which is looked at between the steps of the work; not at all otherwise."""
