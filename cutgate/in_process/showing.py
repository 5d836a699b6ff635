"""From options to composition, background and format, and to files of the PNGs that a service delivers."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cutgate.colours import colour_of
from cutgate.in_process.batch import at_work
from cutgate.in_process.options import require_consistent
from cutgate.in_process.sources import Source, source_of
from cutgate.jobs.composition import Composition, composition_of
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import FileFormat
from cutgate.worker.pictures.delivered import read_delivered
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image

if TYPE_CHECKING:
    from cutgate.worker.settings import WorkerSettings

COMPOSING: Final = frozenset(inspect.signature(composition_of).parameters)
"""Options that are parts of a composition."""
_UNLIMITED: Final = SourceLimits(max_bytes=2**40, max_pixels=2**40, max_side_px=2**31)
"""For the caller's own files."""


def finish_for(options: Mapping[str, Any], *, is_mask: bool) -> Finish:
    """What some of `CutoutOptions` say of it; the file's format, and a picture behind it, are left open.

    Raises ValueError where an option is wrong, which the text names, or where two exclude each other.
    """
    require_consistent(options, is_mask=is_mask)
    asked = {name: value for name, value in options.items() if name in COMPOSING and value is not None}
    background = options.get("background")
    return Finish(
        background=None if background is None else colour_of(background),
        composition=composition_of(**asked) or Composition(),
    )


def behind_of(options: Mapping[str, Any], settings: WorkerSettings) -> Source | None:
    """The picture behind the subject, where the options name one."""
    picture = options.get("background_image")
    return None if picture is None else source_of(picture, settings, keep_16_bit=False)


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
