"""Pictures whose width says what they do to a worker, and a pipeline that does so."""

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from cutgate.gateway.tasks.drafts import InspectedPicture
from cutgate.jobs.errors import DecodingStopped, SourceUndecodable
from cutgate.jobs.limits import SourceLimits
from cutgate.worker.pictures.png import write_png
from tests.simulator.lockstep import Crashed

LIMITS: Final = SourceLimits(max_bytes=2**20, max_pixels=10**6, max_side_px=2_000)


class Effect(IntEnum):
    """What a picture does; the number is its width."""

    GOOD = 40
    BAD = 41
    RAISES = 42
    STOPS = 43
    KILLS = 44
    HANGS = 45


@cache
def picture(effect: Effect) -> InspectedPicture:
    return InspectedPicture.of(write_png(np.zeros((8, effect, 4), np.uint8)), LIMITS)


def effect_of(data: bytes) -> int:
    return int.from_bytes(data[16:20], "big")


def read_image(data: bytes, *_: object, **__: object) -> Any:
    return SimpleNamespace(rgb=SimpleNamespace(shape=(8, effect_of(data), 3)))


def cut_out(
    source: Any,
    _: object,
    worker: Any,
    check: Callable[[], None],
    ended: object = None,
    soft: object = None,
    found: Callable[[Any], None] = lambda _: None,
) -> Any:
    """In place of the pipeline: asks whether the claim holds, as that does, and has the picture's effect."""
    found(np.zeros((8, 8), np.uint8))
    check()
    match source.rgb.shape[1]:
        case _ if worker.is_sick:
            raise RuntimeError("the graphics card is broken")
        case Effect.RAISES:
            raise ValueError("a fault of the pipeline")
        case Effect.STOPS:
            raise DecodingStopped("decoding takes too long")
        case Effect.BAD:
            raise SourceUndecodable("the picture is damaged")
        case Effect.KILLS:
            raise Crashed
        case Effect.HANGS:
            while True:
                worker.world.step("hang")
    return source


def finish(made: Any, *_: object, **__: object) -> Any:
    height_px, width_px, _channels = made.rgb.shape
    sizes = {"width_px": width_px, "height_px": height_px}
    return SimpleNamespace(data=b"result", media_type="image/png", **sizes, subject_found=True, confidence=0.9)
