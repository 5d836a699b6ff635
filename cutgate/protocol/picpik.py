"""PICPIK's protocol as values: what a request says, and what an answer means."""

import base64
import json
import operator
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypedDict

from cutgate.colours import colour_of
from cutgate.signing import sign_params

State = Literal["Queuing", "Running", "Finished", "Error"]
"""Where a job stands. The last two are final."""

RADIUS_PX: Final = 10
"""Half the width of a stroke."""
MOST_RADIUS_PX: Final = 500
MOST_POINTS: Final = 3_000
"""Of all strokes of a result."""
MOST_ERODE_PX: Final = 40


Strokes = Sequence[Sequence[tuple[float, float]]]
"""Lines drawn over a picture, each a list of points (x, y) in pixels; a click is a stroke of one point."""


class MaskSettings(TypedDict, total=False):
    """How a mask becomes a cut-out. What is left out is as the service has it."""

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


class Settings(MaskSettings, total=False):
    """How a picture is cut out. What is left out is as the service has it."""

    box: tuple[int, int, int, int]
    """Limits of the main object in pixels of the upright picture: left, top, right, bottom; the last two are
    outside it. The whole picture otherwise."""


class Appearance(TypedDict, total=False):
    """How a cut-out is shown, whatever was done to make it."""

    background: str | tuple[int, int, int] | tuple[int, int, int, int]
    """Colour behind the subject: `white`, `#rrggbb`, `#rrggbbaa`, or its levels in sRGB. Transparent otherwise."""
    megapixels: float
    """The result is made smaller to have no more; it is never enlarged."""
    crop_margin: int | str
    """Cut down to the subject and so much around: pixels, or one, two or four lengths clockwise from the top, px
    or % of the subject, such as `10px 5%`. Up to 500 px or 50 % count. The whole picture otherwise."""
    scale: float | str
    """The subject fits this share of both sides of the canvas, which is the picture or what is left of it by
    `crop_margin`: 0.8 or `80%`. As large as it is otherwise."""
    position: str | tuple[float, float]
    """Where the subject lies: `original`, `center`, or shares of the room that is left before it, such as
    `50% 100%` or (0.5, 1). `original` otherwise, and `center` with a `scale`."""
    shadow: bool | float | str
    """A soft shadow below the subject; its opacity, 0.5 otherwise, may be said: 0.3 or `30%`."""


class RenderOptions(Appearance, total=False):
    """How a service shows a finished cut-out another way. What is left out stays as the job had it.

    `transparent`, `original` and, of a crop or a shadow, `none` take away what the job shows. There is no
    `background_image`: save the result, and lay it over the picture with `Cutout.composed` or an editor.
    """

    file_format: Literal["png", "webp", "jpeg", "zip"]
    """Of the result; a zip has colours and alpha apart. A JPEG without a background lies over white."""
    quality: int
    """1 to 100, of jpeg, zip, and webp, which is lossless without it."""


class RefineOptions(MaskSettings, RenderOptions, total=False):
    """How a service makes a finished cut-out anew from its mask. What is left out stays as the job had it."""


def _wire_names(options: Iterable[str]) -> dict[str, str]:
    """What options are called on the wire: `erode_size` is `ErodeSize` there."""
    return {name: name.title().replace("_", "") for name in sorted(options)}


FIELDS: Final[Mapping[str, str]] = _wire_names(Settings.__optional_keys__)
"""Names of the settings on the wire."""
_REFINE_FIELDS: Final = _wire_names(RefineOptions.__optional_keys__) | {"file_format": "Format"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """What the service says of a job."""

    uid: str
    state: State
    result_urls: tuple[str, ...]
    """Addresses of the results; empty until the job has finished."""
    credits: int
    """Charged."""
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
        """Credits left, jobs in progress not counted; None if the account is unmetered."""
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


def correction(
    uid: str, keep: Strokes, remove: Strokes, radius_px: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of `RefineTask`.

    Raises:
        TypeError: there is no such option.
        ValueError: a stroke is none, or a colour, or there are too many points.
    """
    require_known(options, _REFINE_FIELDS.keys())
    strokes = {"Keep": whole_strokes("keep", keep), "Remove": whole_strokes("remove", remove)}
    count = sum(len(line) for lines in strokes.values() for line in lines)
    if count > MOST_POINTS:
        raise ValueError(
            f"keep and remove have {count} points, at most {MOST_POINTS}: leave out some that lie close"
        )
    drawn = {name: lines for name, lines in strokes.items() if lines}
    given = {name: value for name, value in options.items() if value is not None}
    return {
        "TaskUID": uid,
        **drawn,
        **({"RadiusPx": radius_px} if drawn else {}),
        **{_REFINE_FIELDS[name]: _TEXTS.get(name, lambda same: same)(value) for name, value in given.items()},
    }


def whole_strokes(name: str, strokes: Strokes) -> list[list[tuple[int, int]]]:
    """Strokes whose points are whole pixels.

    Raises:
        ValueError: they are no strokes; the text says what would be, under the option's name.
    """
    try:
        whole = [[(round(x), round(y)) for x, y in stroke] for stroke in strokes]
    except (TypeError, ValueError, OverflowError):
        whole = [[]]
    if not all(whole):
        raise ValueError(
            f"{name}: it is a list of strokes of points, such as [[(120, 80), (140, 95)], [(300, 200)]]"
        )
    return whole


def _percentage(share: str | float) -> str:
    return share if isinstance(share, str) else f"{100 * share:.9f}%"


def _shadow(shadow: bool | float | str) -> str:
    return ("50%" if shadow else "none") if isinstance(shadow, bool) else _percentage(shadow)


_TEXTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "background": lambda colour: colour if isinstance(colour, str) else f"#{bytes(colour_of(colour)).hex()}",
    "megapixels": str,  # a fraction is a text, since signers differ in how they write one
    "crop_margin": str,
    "scale": _percentage,
    "position": lambda place: place if isinstance(place, str) else " ".join(map(_percentage, place)),
    "shadow": _shadow,
    "file_format": lambda name: "jpg" if name == "jpeg" else name,
}
"""What makes the text on the wire of an option's value."""
