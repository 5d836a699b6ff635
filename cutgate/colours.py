"""Colours as people write them."""

from collections.abc import Sequence


def colour_of(value: str | Sequence[int]) -> tuple[int, int, int, int]:
    """Red, green, blue and straight alpha, 0 to 255.

    Args:
        value: three or four of these levels; or as CSS writes it: `#rgb`, `#rrggbb`, `#rrggbbaa`, or a name such
            as `white`.

    Raises:
        ValueError: it is no colour.
        ImportError: it is text, and Pillow is not installed; callers of a service need not have it.
    """
    if isinstance(value, str):
        from PIL import ImageColor

        try:
            return ImageColor.getcolor(value, "RGBA")  # type: ignore[return-value]
        except ValueError:
            raise ValueError(f"{value!r} is not a colour such as white, #ffffff or #ffffff80") from None
    rgba = (*value, 255) if len(value) == 3 else tuple(value)
    if len(rgba) != 4 or not all(isinstance(level, int) and 0 <= level <= 255 for level in rgba):
        raise ValueError("background: a colour has three or four levels, whole numbers from 0 to 255")
    red, green, blue, alpha = rgba
    return red, green, blue, alpha
