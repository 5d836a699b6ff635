"""Finds the model for a name.

A model's name selects, in this order: a row of `MODELS`; `<name>.json` beside `<name>.onnx` in the models folder
(an operator's own network, see `CustomModel`); the model of that name that rembg knows. Of a row of `MODELS` whose
file nobody but the operator can bring, `<name>.json` takes the place.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from cutgate.jobs.spec import Level, Precision
from cutgate.worker.cutout.mask.segment import Soft
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.isnet_rows import ISNET
from cutgate.worker.models.weights.matting_rows import MATTING_MODELS
from cutgate.worker.models.weights.model import Channels, InputFit, Model, OutputKind, WeightsFile
from cutgate.worker.models.weights.rembg_rows import REMBG_MODELS

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

MODELS: Final = {model.name: model for model in (ISNET, *REMBG_MODELS, *MATTING_MODELS)}


class CustomModel(BaseModel):
    """`<name>.json`: how to run an operator's own `<name>.onnx`, which lies beside it.

    The network takes one picture as (1, 3, height, width), and one of its outputs is one map of that picture.

        {"input_px": [512, 512], "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "output": "probability"}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_px: tuple[PositiveInt, PositiveInt]
    fit: InputFit = InputFit.STRETCH
    multiple_px: PositiveInt = 1
    mean: Channels = (0.0, 0.0, 0.0)
    std: tuple[_Divisor, _Divisor, _Divisor] = (1.0, 1.0, 1.0)
    output: OutputKind = OutputKind.PROBABILITY
    output_name: Annotated[str, Field(min_length=1)] | None = None
    soft: Soft = Soft.DOUBT
    thresholds: tuple[Level, Level] | None = None
    least_range: Annotated[float, Field(ge=0)] = 0.0
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    licence: str = "not stated"
    origin: str = "the models folder"

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if any(side % self.multiple_px for side in self.input_px):
            raise ValueError(f"input_px must be multiples of multiple_px, {self.multiple_px}")
        if self.soft is Soft.ALPHA and (self.thresholds or self.output is OutputKind.RANGE):
            raise ValueError("with soft=alpha the map is taken as it is: leave out thresholds, and output=range")
        if self.thresholds and not 0 < self.thresholds[1] < self.thresholds[0] < 255:
            raise ValueError("thresholds are the foreground's and the background's, as in [240, 15]")
        return self

    def row(self, name: str) -> WeightsFile:
        """The same facts as a row."""
        return WeightsFile(
            file_name=f"{name}.onnx",
            digest=f"sha256:{self.sha256}" if self.sha256 else None,
            **self.model_dump(exclude={"sha256"}),
        )


_Divisor = Annotated[float, Field(gt=0)]


def find_model(name: str, models_dir: Path, precision: Precision = Precision.EXACT) -> Model | None:
    """The row of a name without files that cannot be run in a precision, or None when only rembg can know it.

    Raises:
        ModelUnavailable: the name is no file name, the models folder's row for it is malformed, or the model has
            no file that serves the precision.
    """
    if not _NAME.fullmatch(name):
        raise ModelUnavailable(f"{name!r} is not a model's name: use letters, digits, '.', '_' and '-'")
    model = MODELS.get(name)
    if model is None or not any(row.source for row in model.files):
        # Who has to bring the file may say what it is: exports of one network differ.
        model = _custom_model(name, models_dir) or model
    if precision is Precision.EXACT:
        return model
    files = tuple(row for row in model.files if row.ranges) if model else ()
    if model is None or not files:
        able = ", ".join(known.name for known in MODELS.values() if any(row.ranges for row in known.files))
        raise ModelUnavailable(
            f"{name} has no table of activation ranges: CUTGATE_PRECISION=fast runs {able} alone"
        )
    return replace(model, files=files)


def _custom_model(name: str, models_dir: Path) -> Model | None:
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
