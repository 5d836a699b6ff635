"""From a removal's settings to what the core is told to do."""

from __future__ import annotations

from typing import Any, Final

from cutgate.gateway.runware.messages import faults
from cutgate.gateway.runware.messages.reading import word_of
from cutgate.gateway.runware.messages.requests import Removal, Settings
from cutgate.jobs.presets import Choice
from cutgate.jobs.spec import CutoutSpec, FileFormat, Output, Refinement

_FORMATS: Final = {"JPG": FileFormat.JPEG, "PNG": FileFormat.PNG, "WEBP": FileFormat.WEBP}
_FOREGROUND, _BACKGROUND = "alphaMattingForegroundThreshold", "alphaMattingBackgroundThreshold"
DEFAULTS: Final[dict[str, Any]] = {
    "rgba": (255, 255, 255, 0),
    "postProcessMask": False,
    "returnOnlyMask": False,
    "alphaMatting": False,
    _FOREGROUND: 240,
    _BACKGROUND: 10,
    "alphaMattingErodeSize": 10,
}
"""Settings that are not given."""


def spec_of(request: Removal, choice: Choice) -> CutoutSpec:
    """What is to be done with the picture.

    Args:
        request: its settings may lie flat, or in `settings`, which count first.
        choice: what computes it.

    Raises:
        FieldWrong: two settings clash.
    """
    nested = {} if request.settings is None else _given(request.settings)
    given = _given(request) | nested
    chosen = DEFAULTS | given
    if chosen[_BACKGROUND] > chosen[_FOREGROUND]:
        paths = [f"settings.{name}" if name in nested else name for name in (_FOREGROUND, _BACKGROUND)]
        reason = f"{_BACKGROUND} ({chosen[_BACKGROUND]}) must not exceed {_FOREGROUND} ({chosen[_FOREGROUND]})"
        raise faults.FieldWrong(paths, word_of(_BACKGROUND), reason)
    file_format = _FORMATS[request.output_format]
    spec = CutoutSpec(
        model=choice.model,
        precision=choice.precision,
        refinement=Refinement.RAW,
        tidy_mask=chosen["postProcessMask"],
        output=Output.MASK if chosen["returnOnlyMask"] else Output.CUTOUT,
        background=chosen["rgba"],
        file_format=file_format,
        quality=None if file_format is FileFormat.PNG else request.output_quality,
    )
    if not chosen["alphaMatting"]:
        return spec
    matting = {
        "refinement": Refinement.ON,
        "foreground_threshold": chosen[_FOREGROUND],
        "background_threshold": chosen[_BACKGROUND],
        "erode_px": chosen["alphaMattingErodeSize"],
    }
    return spec.model_copy(update=matting)


def _given(settings: Settings) -> dict[str, Any]:
    """The settings that were sent, by their names in the protocol."""
    sent = settings.model_dump(by_alias=True, exclude_none=True)
    return {name: value for name, value in sent.items() if name in DEFAULTS}
