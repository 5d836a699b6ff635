"""PICPIK's protocol as values: what a request says, and what an answer means."""

import base64
import json
import operator
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypedDict

from cutgate.signing import sign_params

State = Literal["Queuing", "Running", "Finished", "Error"]
"""Where a job stands. The last two are final."""

MOST_ERODE_PX: Final = 40
"""The largest `erode_size`."""


class Settings(TypedDict, total=False):
    """How a picture is cut out. What is left out is as the service has it."""

    box: tuple[int, int, int, int]
    """Limits of the main object in pixels of the upright picture: left, top, right, bottom; the last two are
    outside it. The whole picture otherwise."""
    erode_size: int
    """Width of the softened edge zone in pixels, 0 to 40; 15 otherwise."""
    foreground_threshold: int
    """Mask level above which a pixel is certain foreground, 0 to 255; otherwise 240, or
    `background_threshold` where that is higher."""
    background_threshold: int
    """Mask level below which a pixel is certain background, 0 to 255; otherwise 15, or
    `foreground_threshold` where that is lower."""
    hair_optimization: Literal["auto", "on", "off"]
    """Refinement of fine structure; `auto`, the service's own decision, otherwise."""
    only_mask: bool
    """Return the alpha matte as a grey picture, not the cut-out."""
    holes: Literal["keep", "fill"]
    """What becomes of transparent parts that the subject encloses: `fill` makes them opaque unless they show the
    background, such as a white label on white; `keep` otherwise."""


FIELDS: Final[Mapping[str, str]] = {
    "box": "Box",
    "erode_size": "ErodeSize",
    "foreground_threshold": "ForegroundThreshold",
    "background_threshold": "BackgroundThreshold",
    "hair_optimization": "HairOptimization",
    "only_mask": "OnlyMask",
    "holes": "Holes",
}
"""Names of the settings on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What the service says of a job."""

    uid: str
    """The job's id."""
    state: State
    result_urls: tuple[str, ...]
    """Addresses of the results; empty until the job has finished."""
    credits: int
    """Credits charged."""
    error_code: int
    """0 while nothing is wrong."""
    error_message: str
    subject_found: bool | None = None
    """Whether the result shows a subject; None until it was fetched, and where the service does not say."""
    confidence: float | None = None
    """How likely the result is right, 0 to 1; None until it is there, and where the service does not say."""
    place: int | None = None
    """Estimated place in the queue, 1 for the next; only events tell it, while the job is queued."""
    phase: str | None = None
    """`reading`, `computing` or `writing`; only events tell it, while the job runs."""

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in {"Finished", "Error"}

    @classmethod
    def from_detail(cls, uid: str, detail: Mapping[str, Any]) -> Self:
        """Read one entry of `TaskDetailList`."""
        return cls(
            uid=uid,
            state=detail["Status"],
            result_urls=tuple(detail.get("ImgList") or ()),
            credits=detail.get("ConsumeApiPoint") or 0,
            error_code=detail.get("ErrorCode") or 0,
            error_message=detail.get("ErrorMassage") or detail.get("ErrorMessage") or "",
            confidence=next(iter(detail.get("ConfidenceList") or ()), None),
            place=detail.get("Place"),
            phase=detail.get("Phase"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account's credits."""

    total: int | None
    """Granted altogether, used ones included; None where credits limit nothing."""
    used: int
    expires_at: datetime | None
    """When they lapse; None when they do not."""

    @property
    def metered(self) -> bool:
        """False where credits limit nothing."""
        return self.total is not None

    @property
    def available(self) -> int | None:
        """What is left, without regard to jobs that have not ended; None where credits limit nothing."""
        return None if self.total is None else self.total - self.used

    def __str__(self) -> str:
        left = "unmetered" if self.total is None else f"{self.available} of {self.total} credits left"
        return f"{left}, {self.used} used"

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """Read an answer of `GetCreditBalance`."""
        lapse = answer.get("ExpireTimestamp")
        return cls(
            total=None if answer.get("Metered") is False else answer["TotalCredits"],
            used=answer["UsedCredits"],
            expires_at=datetime.fromtimestamp(lapse, UTC) if lapse else None,
        )


def signed_body(action: str, params: Mapping[str, Any], public_key: str, private_key: str) -> bytes:
    """A request as it goes over the wire: JSON with the common fields and the signature.

    A `request_uuid` among the parameters is kept, else a new one is made.
    """
    fields = {"request_uuid": str(uuid.uuid4()), **params, "Action": action, "PublicKey": public_key}
    return json.dumps({**fields, "Signature": sign_params(fields, private_key)}).encode()


def require_known(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse an option that does not exist by a TypeError that names the one that may be meant."""
    names = sorted(known)
    for name in sorted({*given} - {*names}):
        near = [known for known in names if known.startswith(name)] or get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise TypeError(f"no such option: {name}{hint}")


def clipped_box(box: Iterable[int]) -> tuple[int, int, int, int]:
    """A box without what is left of the picture and above it.

    Raises:
        ValueError: it is not four whole numbers, or has no area there.
    """
    try:
        left, top, right, bottom = map(operator.index, box)
    except (TypeError, ValueError):
        raise ValueError(f"box: it is left, top, right, bottom in whole pixels, not {box!r}") from None
    if right <= max(left, 0) or bottom <= max(top, 0):
        raise ValueError(f"box: {left}, {top}, {right}, {bottom} has no area in a picture")
    return max(left, 0), max(top, 0), right, bottom


def submission(picture: bytes, settings: Settings) -> dict[str, Any]:
    """The fields of `RemoveBackground`."""
    require_known(settings, FIELDS.keys())
    fields = {FIELDS[name]: value for name, value in settings.items()}
    if "Box" in fields:
        fields["Box"] = list(settings["box"])
    return {"RawImage": base64.b64encode(picture).decode("ascii"), **fields}
