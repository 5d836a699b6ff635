"""Makes files of the PNGs that a service delivers: formats, crops and backgrounds, which PICPIK does not have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cutgate.in_process.batch import at_work
from cutgate.in_process.showing import finish_for
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import FileFormat
from cutgate.worker.pictures.delivered import read_delivered
from cutgate.worker.pictures.finish import finish
from cutgate.worker.pictures.images import read_image

_UNLIMITED: Final = SourceLimits(max_bytes=2**40, max_pixels=2**40, max_side_px=2**31)
"""For the caller's own files."""


def converter(options: Mapping[str, Any], *, file_format: str, quality: int | None) -> Callable[[bytes], bytes]:
    """A function that makes a file of a delivered PNG; it may be called from any thread, and does one at a time.

    Args:
        options: of `Showing`; a picture behind the subject is a path, and may have any size.
        file_format: `png`, `webp`, `jpeg` or `zip`.
        quality: 1 to 100; None for lossless WebP and for the best usual JPEG.

    Returns:
        Raises CutoutError where the PNG cannot be read, or is too large for the format.

    Raises:
        CutoutError: the background cannot be read.
        OSError: its file cannot be read.
        ValueError: an option is wrong, or two exclude each other.
    """
    how = replace(finish_for(options, is_mask=False), file_format=FileFormat(file_format), quality=quality)
    if (path := options.get("background_image")) is not None:
        how = replace(how, background=read_image(path.read_bytes(), _UNLIMITED).rgb)
    turn = threading.Lock()

    def convert(delivered: bytes) -> bytes:
        with turn, at_work():
            return finish(read_delivered(delivered, keep_16_bit=how.file_format is FileFormat.PNG), how).data

    return convert
