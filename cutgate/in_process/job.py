"""One picture from what the caller has to a cut-out, by the function that workers use."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cutgate.errors import CutoutFailed, NetworkUnavailable
from cutgate.in_process.cutout import Cutout
from cutgate.in_process.options import CutoutOptions
from cutgate.in_process.showing import behind_of, finish_for
from cutgate.in_process.sources import Source, source_of
from cutgate.jobs.composition import Composition
from cutgate.jobs.errors import CutoutError, InferenceUnavailable, TimedOut
from cutgate.jobs.spec import Box, CutoutSpec, Output, Stroke, StrokeKind, thresholds_of
from cutgate.pictures import Picture as Given
from cutgate.protocol.picpik import (
    MOST_ERODE_PX,
    MaskSettings,
    Settings,
    Strokes,
    clipped_box,
    require_known,
    whole_strokes,
)
from cutgate.validation import in_words
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.models.engines.runtime import Segmenter, load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.images import SourceImage
from cutgate.worker.settings import WorkerSettings

_FIELDS: Final = {name: name for name in Settings.__optional_keys__} | {
    "erode_size": "erode_px",
    "hair_optimization": "refinement",
    "only_mask": "output",
}
"""Options, and the fields of a spec that they fill."""


class PixelRoom:
    """Room for pictures in memory, which is given first come, first served; one alone always has it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition()
        self._pixel_count = 0

    @contextmanager
    def hold(self, pixel_count: int, most: int | None) -> Iterator[None]:
        """Wait until so many more pixels are at most `most`, and keep them for the block; None is no bound."""
        with self._turn, self._changed:  # who comes later waits behind who waits for much
            self._changed.wait_for(
                lambda: most is None or not self._pixel_count or self._pixel_count + pixel_count <= most
            )
            self._pixel_count += pixel_count
        try:
            yield
        finally:
            with self._changed:
                self._pixel_count -= pixel_count
                self._changed.notify_all()


_ROOM: Final = PixelRoom()
"""Of all networks that the process holds."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that is loaded, with the settings that it was loaded by."""

    settings: WorkerSettings
    segmenter: Segmenter

    @classmethod
    def load(cls, settings: WorkerSettings, on_line: Callable[[str], object]) -> Self:
        """Find or fetch the weights and load them, as a worker with these settings does."""
        if not structlog.is_configured():  # what it writes by default goes to standard output
            structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
        try:
            # A picture follows at once: it shows what a first run would, and most processes cut out a single one.
            return cls(settings, load_segmenter(settings, on_line, warm_up=False))
        except (InferenceUnavailable, ModelUnavailable) as error:
            raise NetworkUnavailable(str(error)) from error

    def cut_out(self, picture: Given, options: CutoutOptions) -> Cutout:
        """As `Remover.remove_background`."""
        require_known(options, CutoutOptions.__optional_keys__)
        is_mask, most = bool(options.get("only_mask")), self.settings.pixel_count()
        try:
            how = finish_for(options, is_mask=is_mask)
            spec = self._spec(options, how.composition)
            behind = behind_of(options, self.settings)
            source = source_of(picture, self.settings, keep_16_bit=not is_mask)
            check = deadline(options.get("timeout_seconds"))
            with _ROOM.hold(source.pixel_count + (behind.pixel_count if behind else 0), most):
                masks: list[ByteMask] = []
                image, soft = _decoded(source, self.settings), self.segmenter.soft
                result = cut_out(image, spec, self.segmenter, check, soft=soft, found=masks.append)
                if behind is not None:
                    how = replace(how, background=behind.decode().over_backdrop())
        except CutoutError as error:
            raise CutoutFailed(error.kind, error.message) from error
        except ModelUnavailable as error:
            raise NetworkUnavailable(str(error)) from error
        return Cutout(result, how, Origin(source, spec, masks[0], soft, self.settings))

    def _spec(self, options: CutoutOptions, composition: Composition) -> CutoutSpec:
        """The options as a worker takes them."""
        choice = self.settings.choice
        try:
            return CutoutSpec(
                model=choice.model,
                precision=choice.precision,
                composition=composition,
                **_with_room(_fields_of(options)),
            )
        except ValidationError as error:
            raise ValueError("; ".join(map(_said, error.errors()))) from None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a cut-out was made from, which is all that it takes to make it another way without the network."""

    source: Source
    spec: CutoutSpec
    mask: ByteMask
    soft: Soft
    settings: WorkerSettings

    def refined(
        self, keep: Strokes, remove: Strokes, radius_px: int, changes: MaskSettings
    ) -> tuple[Picture, Origin]:
        """The result with strokes and settings on top of the spec's, as `Cutout.refine` takes them."""
        require_known(changes, MaskSettings.__optional_keys__)
        kinds = (StrokeKind.KEEP, keep), (StrokeKind.REMOVE, remove)
        try:
            strokes = [
                Stroke(kind=kind, radius_px=radius_px, points=tuple(points))
                for kind, lines in kinds
                for points in whole_strokes(kind.value, lines)
            ]
            spec = CutoutSpec(
                **dict(self.spec) | _fields_of(changes) | {"strokes": (*self.spec.strokes, *strokes)}
            )
        except ValidationError as error:
            raise ValueError("; ".join(map(_said, error.errors()))) from None
        try:
            with _ROOM.hold(self.source.pixel_count, self.settings.pixel_count()):
                image = _decoded(self.source, self.settings)
                result = cut_out(image, spec, self.mask, lambda: None, soft=self.soft)
        except CutoutError as error:
            raise CutoutFailed(error.kind, error.message) from error
        return result, replace(self, spec=spec)


def _decoded(source: Source, settings: WorkerSettings) -> SourceImage:
    image = source.decode()
    return image if settings.keep_rights else replace(image, rights=None)


def _fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec that options fill."""
    return {
        _FIELDS[name]: _READ[name](value) if name in _READ else value
        for name, value in options.items()
        if name in _FIELDS and value is not None
    }


def deadline(timeout_seconds: float | None) -> Callable[[], None]:
    """What raises TimedOut once so much time has passed from now; nothing where there is no bound."""
    if timeout_seconds is None:
        return lambda: None
    ends_at = time.monotonic() + timeout_seconds

    def check() -> None:
        if time.monotonic() > ends_at:
            raise TimedOut(f"it took longer than {timeout_seconds:g} s")

    return check


def _with_room(given: dict[str, Any]) -> dict[str, Any]:
    """Fields of a spec, with both thresholds; a sent one that is no level stays, for the spec to refuse."""

    def level(name: str) -> int | None:
        return given[name] if given.get(name) in range(256) else None

    foreground, background = thresholds_of(level("foreground_threshold"), level("background_threshold"))
    return {"foreground_threshold": foreground, "background_threshold": background} | given


def _box_of(value: Any) -> Box:
    left, top, right, bottom = clipped_box(value)
    return Box(left_px=left, top_px=top, right_px=right, bottom_px=bottom)


def _erosion_of(value: Any) -> Any:
    if isinstance(value, int) and not 0 <= value <= MOST_ERODE_PX:  # a spec may have more, for Runware's callers
        raise ValueError(f"erode_size must be 0 to {MOST_ERODE_PX}, not {value}")
    return value


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "box": _box_of,
    "erode_size": _erosion_of,
    "only_mask": lambda only_mask: Output.MASK if only_mask else Output.CUTOUT,
}


def _said(fault: ErrorDetails) -> str:
    """Describe a wrong option under the caller's name for it."""
    names = {field: name for name, field in _FIELDS.items()}
    where = ".".join(names.get(str(part), str(part)) for part in fault["loc"][:1])
    return f"{where} {in_words(fault, CutoutSpec)}".strip()
