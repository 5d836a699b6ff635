"""The fields of each action's request, and how a verified body is held to them.

Their order is the order in which faults are reported.
"""

import math
from collections.abc import Collection, Mapping
from functools import cache
from typing import Annotated, Final, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic_core import ErrorDetails
from typing_extensions import override

from cutgate.gateway.picpik import fields
from cutgate.gateway.picpik.errors import SHOWN_CHARACTERS, Refused
from cutgate.jobs.spec import THRESHOLDS, Thresholds, thresholds_of
from cutgate.signing import JsonValue, canonical_pieces, canonical_string, unflatten
from cutgate.validation import in_words

ENVELOPE: Final = frozenset({"Action", "PublicKey"})
"""Names that were read before an action's own fields are looked at."""
IGNORED: Final = frozenset({"Region", "Zone", "ProjectId", "SecurityToken", "RemoveType"})
"""Names that some clients send with every call; signed, and without effect."""
_IGNORED_CHARACTERS: Final = 64

IDS_OF_A_REQUEST: Final = 20
"""So many tasks may be asked about in what counts as one request."""

_LOG: Final = structlog.get_logger(__name__)

_ACTION: Final = "Action"
_ID: Final = "request_uuid"
_LONG_CHARACTERS: Final = 2**16
_STEPS: Final = ("not_available", "missing", "wrong_type", "not_available")
"""How a fault is refused: unknown names first, then what is missing, types, and values."""
_STEP_OF: Final = {"extra_forbidden": 0, "missing": 1, fields.WRONG_TYPE: 2}
_VALUES: Final = 3


class Request(BaseModel):
    """What every action takes."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_pascal,
        validate_by_name=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    request_uuid: Annotated[fields.RequestId, Field(alias=_ID)] = ""
    """Your id of the request, repeated in the answer; the server makes one where it is absent. The same request
    under the same id is done once."""

    @property
    def weight(self) -> int:
        """How many requests it counts as, where accounts may only ask so often."""
        return 1


class OnePicture(Request):
    """The picture of a request."""

    raw_image: Annotated[fields.Picture, Field(repr=False)]
    """The picture in Base64, or a data URI: JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF, TIFF. EXIF orientation is
    applied."""
    box: fields.Corners = Field(default_factory=list)
    """Limits of the subject in pixels of the upright picture: left, top, right, bottom."""


class SeveralPictures(Request):
    """The pictures of a batch, which share all other fields."""

    raw_images: Annotated[fields.Pictures, Field(repr=False)]
    """The pictures, each as `RawImage`."""


class Cutting(Request):
    """The options of a cut-out."""

    erode_size: fields.ErodeSize = 15
    """Width of the soft edge zone, in pixels."""
    foreground_threshold: fields.Level = THRESHOLDS.foreground
    """Mask level above which a pixel is certain foreground. If only one threshold is sent, the other one's default
    makes room for it."""
    background_threshold: fields.Level = THRESHOLDS.background
    """Mask level below which a pixel is certain background, at most `ForegroundThreshold`."""
    hair_optimization: fields.Hair = "auto"
    """Whether alpha and colours are estimated at soft edges; `auto` decides region by region."""
    only_mask: fields.Flag = False
    """Return the alpha as a grey PNG."""
    holes: fields.Holes = "keep"
    """Cutgate's own: what becomes of transparent parts that the subject encloses, such as a white label on white;
    `fill` makes them opaque unless they show the background."""

    @property
    def thresholds(self) -> Thresholds:
        """The two thresholds; they cross only if both were sent."""
        sent = self.model_dump(include={"foreground_threshold", "background_threshold"}, exclude_unset=True)
        return thresholds_of(sent.get("foreground_threshold"), sent.get("background_threshold"))


# The fields of the last base come first.
class RemoveBackground(Cutting, OnePicture):
    """Cut one picture out."""


class RemoveBackgroundsInBatch(Cutting, SeveralPictures):
    """Cut several pictures out, all in the same manner, as one task."""


class Listing(Request):
    """Show several tasks."""

    uids: fields.Uids
    """The tasks to show."""

    @property
    @override
    def weight(self) -> int:
        return math.ceil(len(set(self.uids)) / IDS_OF_A_REQUEST)


class ListTasksDetails(Listing):
    """Show tasks."""

    uids: Annotated[fields.Uids, Field(alias="TaskUIDList")]
    """The tasks to show."""
    wait_seconds: fields.WaitSeconds = 0
    """Cutgate's own: answer once one of the tasks has ended, or after so many seconds."""


class ListGenerateTaskDetail(Listing):
    """Show tasks, in the words of the older interface."""

    uids: Annotated[fields.Uids, Field(alias="TaskUIDs")]
    """The tasks to show."""


class OneTask(Request):
    """Name one task."""

    uid: Annotated[fields.Uid, Field(alias="TaskUID")]
    """The task."""


class RefineTask(OneTask):
    """Correct a finished picture, or show it another way: no network runs, and no credit is charged.

    What is left out stays as it was; strokes come on top of those that the task has already.
    """

    index: fields.Index = 0
    """Which picture of a batch."""
    keep: fields.Polylines = Field(default_factory=list)
    """Strokes over what belongs to the subject, each a list of points [x, y] in pixels of the upright picture. A
    click is a stroke of one point. The part of the picture that a stroke touches goes with it."""
    remove: fields.Polylines = Field(default_factory=list)
    """Strokes over what does not belong to it."""
    radius_px: fields.RadiusPx = 10
    """Half the width of these strokes."""
    erode_size: fields.ErodeSize | None = None
    """As in `RemoveBackground`."""
    foreground_threshold: fields.Level | None = None
    """As in `RemoveBackground`."""
    background_threshold: fields.Level | None = None
    """As in `RemoveBackground`."""
    hair_optimization: fields.Hair | None = None
    """As in `RemoveBackground`."""
    only_mask: fields.Flag | None = None
    """As in `RemoveBackground`."""
    holes: fields.Holes | None = None
    """As in `RemoveBackground`."""
    background: fields.Text | None = None
    """Colour behind the subject: `#rrggbb`, `#rrggbbaa`, a name such as `white`, or `transparent`."""
    crop_margin: fields.Text | None = None
    """Cut down to the subject and so much around it: one, two or four lengths, px or %, such as `10%`; `none`."""
    scale: fields.Text | None = None
    """The subject fits this share of both sides: a percentage, or `original`."""
    position: fields.Text | None = None
    """Where the subject lies: `original`, `center`, or two percentages."""
    shadow: fields.Text | None = None
    """Opacity of a soft shadow below the subject, such as `50%`; `none`."""
    megapixels: fields.Number | None = None
    """The most that the result has."""
    format: fields.Format | None = None
    """`png`, `jpg`, `webp`, or `zip` with colours and alpha apart."""
    quality: fields.Quality | None = None
    """Of JPEG and WebP, 1 to 100."""


class Plain(Request):
    """Take no fields but the common ones."""


R = TypeVar("R", bound=Request)


def read_request(
    model: type[R], params: Mapping[str, JsonValue], *, ignore_unknown: bool, max_batch_images: int
) -> R:
    """Hold verified parameters, without the signature, to an action's fields.

    Flattened names are rebuilt. The first fault is told: where unknown names are ignored one before `Action`, else
    unknown names; then required fields, types, and values, each in the order of the fields.
    """
    empty = _empty_values(model)
    arrays = [name for name, value in empty.items() if value == []]
    own = unflatten({name: params[name] for name in params if name not in ENVELOPE | IGNORED}, arrays)
    unknown = [name for name in own if name not in empty]
    if unknown:
        _LOG.info("unknown_fields", names=[name[:SHOWN_CHARACTERS] for name in unknown[:16]])
    ignored = IGNORED & params.keys()
    if ignore_unknown:
        _require_action_first(params)
        ignored |= set(unknown)
        own = {name: value for name, value in own.items() if name in empty}
    for name in sorted(ignored):
        _require_no_hidden_field(name, params.get(name), empty)
    if ignore_unknown:
        _require_no_hidden_id(params)
    sent = {name: value for name, value in own.items() if value not in (None, empty.get(name)) or name in unknown}
    try:
        return model.model_validate(sent, context={fields.MAX_BATCH_IMAGES: max_batch_images})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    raise _first_fault(problems, model) from None


def _require_action_first(params: Mapping[str, JsonValue]) -> None:
    """Refuse a name that would stand before the action in the text that is signed.

    That text has nothing between names and values: an ignored name in front of `Action` could hold the beginning
    of another request's text, and the action stand in what its signer took for the text of a picture.
    """
    first = min(params, default=_ACTION)
    if first < _ACTION:
        reason = f"no name may sort before {_ACTION}: take it out, and sign anew"
        raise Refused("not_available", reason, name=first)


def _require_no_hidden_field(name: str, value: JsonValue, known: Collection[str]) -> None:
    """Refuse a value of an ignored field that may hold a field which its signer sent.

    The text that is signed has nothing between names and values: `RemoveType` of `general` before `request_uuid`
    of `a` signs as `RemoveType` of `generalrequest_uuida` does, which would be a new task.
    """
    text = canonical_string({"": value})
    if len(text) > _IGNORED_CHARACTERS or any(field in text for field in known):
        reason = f"it is ignored; send at most {_IGNORED_CHARACTERS} characters, without any field's name"
        raise Refused("not_available", reason, name=name)


def _require_no_hidden_id(params: Mapping[str, JsonValue]) -> None:
    """Refuse what may hold the id that a signer sent: a name that nobody knows may begin within it."""
    # No picture holds an underscore, but one may end with the beginning of the name.
    pieces = (piece[-_LONG_CHARACTERS:] for piece in canonical_pieces(params))
    if _ID not in params and _ID in "".join(pieces):
        raise Refused("not_available", f"{_ID} may stand in no other name or value", name=_ID)


@cache
def _empty_values(model: type[Request]) -> Mapping[str, JsonValue]:
    """What counts as absent beside null, by the fields' names in a request and in their order."""
    return {
        field.alias or name: next((mark.empty for mark in field.metadata if isinstance(mark, fields.Absent)), None)
        for name, field in model.model_fields.items()
    }


def _step(problem: ErrorDetails) -> int:
    # One of several pictures is a value; the only one is as good as missing.
    if problem["type"] == fields.NO_BYTES and len(problem["loc"]) == 1:
        return _STEP_OF["missing"]
    return _STEP_OF.get(problem["type"], _VALUES)


def _first_fault(problems: list[ErrorDetails], model: type[Request]) -> Refused:
    """The first fault of the first step that has any; pydantic names them in the order of the fields."""
    first = min(problems, key=_step)
    # A default's fault is found under the field's own name, any other under the name in the request.
    aliases = {name: field.alias for name, field in model.model_fields.items()}
    head, *index = map(str, first["loc"])
    name = ".".join([aliases.get(head) or head, *index])
    return Refused(_STEPS[_step(first)], in_words(first, model), name=name)
