"""Colours as people write them."""

from collections.abc import Sequence


def colour_of(text: str) -> tuple[int, int, int, int]:
    """A colour as CSS writes it: `#rgb`, `#rrggbb`, `#rrggbbaa` with straight alpha, or a name such as `white`.

    Returns:
        Red, green, blue and alpha, 0 to 255.

    Raises:
        ValueError: it is not written so.
        ImportError: Pillow is not installed; callers of a service need not have it.
    """
    from PIL import ImageColor

    try:
        red, green, blue, alpha = ImageColor.getcolor(text, "RGBA")  # type: ignore[misc]
    except ValueError:
        raise ValueError(f"{text!r} is not a colour such as white, #ffffff or #ffffff80") from None
    return red, green, blue, alpha


def rgba_of(levels: Sequence[int]) -> tuple[int, int, int, int]:
    """A colour of three or four levels, the fourth of which is straight alpha.

    Raises:
        ValueError: it is none.
    """
    rgba = (*levels, 255) if len(levels) == 3 else tuple(levels)
    if len(rgba) != 4 or not all(isinstance(level, int) and 0 <= level <= 255 for level in rgba):
        raise ValueError("background: a colour has three or four levels, whole numbers from 0 to 255")
    red, green, blue, alpha = rgba
    return red, green, blue, alpha
