"""Colours as people write them."""


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
