"""From options to composition, background and format."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cutgate.colours import colour_of, rgba_of
from cutgate.in_process.options import require_consistent
from cutgate.in_process.sources import Source, source_of
from cutgate.jobs.composition import Composition, composition_of
from cutgate.worker.pictures.finish import Finish

if TYPE_CHECKING:
    from cutgate.jobs.spec import Colour
    from cutgate.worker.settings import WorkerSettings

COMPOSING: Final = frozenset(inspect.signature(composition_of).parameters)
"""Options that are parts of a composition."""


def finish_for(options: Mapping[str, Any], *, is_mask: bool) -> Finish:
    """What some of `CutoutOptions` say of it; the file's format, and a picture behind it, are left open.

    Raises ValueError where an option is wrong, which the text names, or where two exclude each other.
    """
    require_consistent(options, is_mask=is_mask)
    asked = {name: value for name, value in options.items() if name in COMPOSING and value is not None}
    background = options.get("background")
    return Finish(
        background=None if background is None else _colour_of(background),
        composition=composition_of(**asked) or Composition(),
    )


def behind_of(options: Mapping[str, Any], settings: WorkerSettings) -> Source | None:
    """The picture behind the subject, where the options name one."""
    picture = options.get("background_image")
    return None if picture is None else source_of(picture, settings, keep_16_bit=False)


def _colour_of(value: str | Sequence[int]) -> Colour:
    return colour_of(value) if isinstance(value, str) else rgba_of(value)
