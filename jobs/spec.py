"""The specification of one cut-out, independent of any protocol, and the models by name and precision."""

from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple, NewType, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cutgate.jobs.composition import Composition

Lane = NewType("Lane", str)
"""What a worker must offer to do an item: model and precision, such as `isnet-general-use:exact`."""

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A model's name: part of a lane, and so of queue names and keys."""

CORRECTIONS: Final = Lane("corrections")
"""The lane of what needs no network, because its mask is known: every worker offers it."""

DEFAULT_MODEL: Final = "isnet-general-use"

Level = Annotated[int, Field(ge=0, le=255)]
"""A level of an 8-bit mask; 255 is certain foreground."""


class Thresholds(NamedTuple):
    """Levels that split a mask: certain foreground lies above the one, certain background below the other."""

    foreground: int
    background: int


THRESHOLDS: Final = Thresholds(foreground=240, background=15)
"""Those of a request that names none."""


Colour = tuple[Level, Level, Level, Level]
"""Red, green, blue and straight alpha, in sRGB."""


_LANES: Final = 256
"""How many lanes are remembered: each submit asks for the same few several times."""


class Refinement(StrEnum):
    """What becomes of the network's mask, and of the colours where the subject's edge is soft."""

    AUTO = "auto"
    """`ON` where the edge is soft, region by region, and the mask's own edge where it is hard."""
    ON = "on"
    """Alpha and colours are estimated anew in the whole unknown band."""
    OFF = "off"
    """Alpha is the mask, stretched between the thresholds and softened; colours are the picture's."""
    RAW = "raw"
    """Alpha is the mask as the network gives it, without thresholds; colours are the picture's."""


class Holes(StrEnum):
    """What becomes of transparent parts that the subject encloses."""

    KEEP = "keep"
    FILL = "fill"
    """They become opaque, unless they show the background: labels, faces of drawings."""


class Output(StrEnum):
    """What the caller gets: the picture with straight alpha, or alpha alone."""

    CUTOUT = "cutout"
    MASK = "mask"


class FileFormat(StrEnum):
    """What the result is written as."""

    PNG = "png"
    WEBP = "webp"
    """Lossless without a `quality`, lossy with one."""
    JPEG = "jpeg"
    """Has no alpha: the result lies over the background colour, or over white."""
    ZIP = "zip"
    """`color.jpg` and `alpha.png` in one archive: colours and straight alpha apart."""
    AUTO = "auto"
    """PNG if anything is transparent, else JPEG."""


class Precision(StrEnum):
    """How exactly the network is computed."""

    EXACT = "exact"
    """As trained, in the widest numbers that the processor computes fast."""
    FAST = "fast"
    """In 8-bit integers: a third of the time, and single hard photos differ."""


class Box(BaseModel):
    """Limits of the subject in pixels of the oriented picture: left and top in, right and bottom out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left_px: Annotated[int, Field(ge=0)]
    top_px: Annotated[int, Field(ge=0)]
    right_px: int
    bottom_px: int

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if self.right_px <= self.left_px or self.bottom_px <= self.top_px:
            raise ValueError("a box needs an area")
        return self


MOST_STROKES: Final = 100
MOST_RADIUS_PX: Final = 500
MOST_POINTS: Final = 3_000
"""Of all strokes of a cut-out together: a request has three values for each, and 10,000 at most."""

FARTHEST_PX: Final = 65_536
"""From the picture's corner, of points."""

Coordinate = Annotated[int, Field(ge=-FARTHEST_PX, le=FARTHEST_PX)]


class StrokeKind(StrEnum):
    """What a stroke says of what it touches."""

    KEEP = "keep"
    REMOVE = "remove"


class Stroke(BaseModel):
    """A line drawn with a round brush over the oriented picture; a click is a stroke of one point."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: StrokeKind
    radius_px: Annotated[int, Field(ge=1, le=MOST_RADIUS_PX)]
    points: Annotated[tuple[tuple[Coordinate, Coordinate], ...], Field(min_length=1, max_length=MOST_POINTS)]
    """x and y of each; they may lie outside the picture, as where a line leaves it."""


class CutoutSpec(BaseModel):
    """One cut-out, validated. It is stored with the item as JSON; `version` names its form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    model: ModelName
    precision: Precision = Precision.EXACT
    box: Box | None = None
    erode_px: Annotated[int, Field(ge=0, le=255)] = 15
    foreground_threshold: Level = THRESHOLDS.foreground
    background_threshold: Level = THRESHOLDS.background
    refinement: Refinement = Refinement.AUTO
    strokes: Annotated[tuple[Stroke, ...], Field(max_length=MOST_STROKES)] = ()
    """Corrections of the mask, the last of which counts where they cross."""
    tidy_mask: bool = False
    """Whether specks and frayed edges of the mask are cleaned away (opening and smoothing) before it is used."""
    holes: Holes = Holes.KEEP
    output: Output = Output.CUTOUT
    background: Colour | None = None
    """What the cut-out is laid over; None and an alpha of 0 keep it transparent."""
    file_format: FileFormat = FileFormat.PNG
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of lossy formats; None stands for lossless WebP and for the best usual JPEG."""
    composition: Composition | None = None
    """What is made of the cut-out before it is a file; None leaves it as it is."""

    @property
    def composing(self) -> Composition:
        """The composition; the neutral one if none was asked for."""
        return self.composition or Composition()

    @model_validator(mode="after")
    def _one_region(self) -> Self:
        if (
            self.box is not None
            and self.composition is not None
            and self.composition.region_of_interest is not None
        ):
            raise ValueError("a box and a region of interest exclude each other")
        return self

    @model_validator(mode="after")
    def _few_points(self) -> Self:
        if sum(len(stroke.points) for stroke in self.strokes) > MOST_POINTS:
            raise ValueError(f"strokes have at most {MOST_POINTS} points together")
        return self

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.background_threshold > self.foreground_threshold:
            raise ValueError(
                f"background_threshold ({self.background_threshold}) must not exceed"
                f" foreground_threshold ({self.foreground_threshold})"
            )
        return self


def thresholds_of(foreground: int | None, background: int | None, defaults: Thresholds = THRESHOLDS) -> Thresholds:
    """The thresholds that a request means. A default moves to make room for the one that was sent.

    Args:
        foreground: what was sent, 0 to 255; None if nothing was.
        background: likewise.
        defaults: of the protocol.

    Returns:
        Thresholds in order, unless both were sent and cross.
    """
    if foreground is None:
        foreground = max(defaults.foreground, background or 0)
    if background is None:
        background = min(defaults.background, foreground)
    return Thresholds(foreground, background)


def lane_of(spec: CutoutSpec) -> Lane:
    """The lane that an item with this spec waits in."""
    return lane_for(spec.model, spec.precision)


@lru_cache(_LANES)
def lane_for(model: ModelName, precision: Precision) -> Lane:
    """The lane of a model at a precision."""
    return Lane(f"{model}:{precision}")


class ModelChoice(BaseModel):
    """A model, and how exactly it is computed: what workers offer and items ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelName
    precision: Precision = Precision.EXACT

    @property
    def lane(self) -> Lane:
        """Where items that ask for it wait."""
        return lane_for(self.model, self.precision)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a preset's name, a model's, or both parts: `best`, `u2netp`, `isnet-general-use:fast`.

        Raises:
            ValueError: it is none of these.
        """
        if text in PRESETS:
            return cls(**PRESETS[text].model_dump())
        name, colon, precision = text.partition(":")
        given = {"model": name, "precision": precision} if colon else {"model": name}
        try:
            # A preset has its precision already.
            return cls.model_validate(given if name not in PRESETS else {})
        except ValidationError:
            forms = f"a preset ({', '.join(PRESETS)}), a model, or a model with its precision such as name:fast"
            raise ValueError(f"{text!r} must be {forms}") from None

    def __str__(self) -> str:
        return self.lane


PRESETS: Final = {
    "fast": ModelChoice(model=DEFAULT_MODEL, precision=Precision.FAST),
    "exact": ModelChoice(model=DEFAULT_MODEL),
    "best": ModelChoice(model="birefnet-general"),
}
"""Choices that have a name of their own, the quickest first. `fast` and `exact` are the default model's."""


def parse_choices(text: str) -> tuple[ModelChoice, ...]:
    """Read several, split by commas; what is named twice counts once.

    Raises:
        ValueError: one of them cannot be read.
    """
    parts = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(ModelChoice.parse(part) for part in parts if part))
