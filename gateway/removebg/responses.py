"""Answers with a picture: its bytes, or JSON that holds them, and what is said beside it."""

import base64
import math
from typing import Final

from flask import Response
from werkzeug.datastructures import MIMEAccept

from cutgate.gateway.accounts.rates import rate_headers
from cutgate.gateway.http_headers import exposed
from cutgate.gateway.pictures.files import CONFIDENCE_HEADER, picture_file, result_of
from cutgate.gateway.removebg.errors import Refused, failure, in_json
from cutgate.gateway.removebg.fields import SIZES
from cutgate.gateway.removebg.tariff import Tariff, shown
from cutgate.jobs.answers import Allowance
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.record import Result, Task

_JSON: Final = "application/json"
_ANYTHING: Final = "*/*"
FOREGROUND: Final = ("Top", "Left", "Width", "Height")

EXPOSED: Final = (
    *("X-Type", "X-Width", "X-Height", "X-Max-Width", "X-Max-Height", "X-Credits-Charged"),
    CONFIDENCE_HEADER,
    *(f"X-Foreground-{name}" for name in FOREGROUND),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"),
)
"""Headers that programs in a browser may read."""


def wants_json(accepted: MIMEAccept) -> bool:
    """Whether `Accept` asks for JSON: by name, and for nothing else by name rather than that."""
    named = {media_type: quality for media_type, quality in accepted if media_type != _ANYTHING}
    quality = max((q for media_type, q in named.items() if media_type.partition(";")[0] == _JSON), default=0)
    return 0 < quality >= max(named.values(), default=0)


def rendered(
    task: Task,
    *,
    blobs: BlobStore,
    is_json: bool,
    shown_type: str | None,
    tariff: Tariff,
    allowance: Allowance | None,
) -> Response:
    """The answer as a task stands; `shown_type` is None where `X-Type` is not sent.

    Raises:
        BlobMissing: the result is gone.
        Refused: there is none, or not yet.
    """
    result = result_of(task, failure, Refused("result_not_ready"))
    response = _in_json(blobs.get(result.blob), result) if is_json else picture_file(blobs, result)
    max_width_px, max_height_px = _full_size(result)
    known = {
        "X-Type": shown_type,
        "X-Width": result.width_px,
        "X-Height": result.height_px,
        "X-Max-Width": max_width_px,
        "X-Max-Height": max_height_px,
        CONFIDENCE_HEADER: None if result.confidence is None else f"{result.confidence:.2f}",
        "X-Credits-Charged": shown(tariff.credits(task.booked)),
        **{f"X-Foreground-{name}": px for name, px in _foreground(result).items()},
    }
    headers = {name: str(value) for name, value in known.items() if value is not None}
    rates = {} if allowance is None else rate_headers(allowance)
    response.headers.update({**exposed(EXPOSED), **headers, **rates})
    return response


def _in_json(picture: bytes, result: Result) -> Response:
    data: dict[str, str | float] = {"result_b64": base64.b64encode(picture).decode("ascii")}
    data |= {f"foreground_{name.lower()}": px for name, px in _foreground(result).items()}
    data |= {} if result.confidence is None else {"confidence": result.confidence}
    return in_json({"data": data})


def _foreground(result: Result) -> dict[str, int]:
    """Where the subject is in the picture that was sent; empty where that is not known."""
    box = result.foreground
    if box is None:
        return {}
    sizes = (box.top_px, box.left_px, box.right_px - box.left_px, box.bottom_px - box.top_px)
    return dict(zip(FOREGROUND, sizes, strict=True))


def _full_size(result: Result) -> tuple[int, int]:
    """The size that `full` would give."""
    if result.full_width_px is None or result.full_height_px is None:
        return result.width_px, result.height_px
    pixels = result.full_width_px * result.full_height_px
    share = min(1.0, math.sqrt(SIZES["full"] / pixels))
    return math.floor(result.full_width_px * share), math.floor(result.full_height_px * share)
