"""Facts about each model, and the state of its files on this machine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cutgate.jobs.spec import PRESETS, Precision
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.files import expected_digest, file_places, place_of, verify_file
from cutgate.worker.models.weights.model import Model, WeightsFile
from cutgate.worker.models.weights.registry import MODELS, find_model

_FETCHED_BY_REMBG: Final = "rembg fetches, keeps and checks this model itself"


class FileState(StrEnum):
    """What became of looking at a file of weights."""

    WHOLE = "whole"
    """It has the digest of its row, or the one that was remembered as it was added."""
    UNCHECKED = "unchecked"
    """It is there, and no digest is known."""
    DAMAGED = "damaged"
    """It is there and is not what its row means, or cannot be read."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A place where a file of weights may lie, and what is there."""

    model: str
    row: WeightsFile
    path: Path
    state: FileState
    detail: str = ""
    """What is wrong, for a person."""

    @property
    def usable(self) -> bool:
        """Whether a worker would run it."""
        return self.state in {FileState.WHOLE, FileState.UNCHECKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model as an operator sees it in a list. Sizes are None where they are not known."""

    name: str
    presets: tuple[str, ...]
    precisions: tuple[Precision, ...]
    """In which it can be run, by one of its files at least."""
    input_px: tuple[int, int]
    """Height and width that a picture is resized to, or has to fit into."""
    input_label: str
    """The same for a person, width first."""
    licence: str
    source: str
    """Where the weights come from."""
    trained_on: str | None
    """On which sets of pictures, as far as its row tells."""
    fetched_from: str | None
    """What is asked for them; None where nothing can be."""
    runs_through: str
    """Whose row says how to run it: `built in`, or `models folder`."""
    file: str
    """The file that is here, else the one that would be fetched first."""
    size_bytes: int | None
    download_bytes: int | None
    """What fetching it transfers; None also where it cannot be fetched."""
    state: FileState
    path: str | None
    """Where the file is."""
    detail: str


def look_at(model: Model, models_dir: Path) -> list[FoundFile]:
    """Every file of a model in every place where it may lie; those that are there are read through."""
    return [_look(model, row, path) for row in model.files for path in file_places(model, row, models_dir)]


def _look(model: Model, row: WeightsFile, path: Path) -> FoundFile:
    if not path.exists():
        return FoundFile(model=model.name, row=row, path=path, state=FileState.ABSENT)
    try:
        verify_file(path, row)
    except ModelUnavailable as error:
        return FoundFile(model=model.name, row=row, path=path, state=FileState.DAMAGED, detail=str(error))
    state = FileState.WHOLE if expected_digest(path, row) else FileState.UNCHECKED
    return FoundFile(model=model.name, row=row, path=path, state=state)


def facts_of(model: Model, models_dir: Path) -> ModelFacts:
    """What is known of a model and of its files here: of the one that a worker would run, if there is one."""
    found = look_at(model, models_dir)
    here = [file for file in found if file.usable] + [file for file in found if file.state is FileState.DAMAGED]
    shown = (here or found)[0]
    row, is_here = shown.row, shown.state is not FileState.ABSENT
    return ModelFacts(
        name=model.name,
        presets=tuple(name for name, choice in PRESETS.items() if choice.model == model.name),
        precisions=tuple(p for p in Precision if any(p in row.precisions for row in model.files)),
        input_px=row.input_px,
        input_label=row.input_label,
        licence=row.licence,
        source=row.origin,
        trained_on=row.trained_on,
        fetched_from=place_of(row.source) if row.source else None,
        runs_through="built in" if MODELS.get(model.name) is model else "models folder",
        file=row.file_name,
        size_bytes=shown.path.stat().st_size if is_here else row.size_bytes,
        download_bytes=row.download_bytes if row.source else None,
        state=shown.state,
        path=str(shown.path) if is_here else None,
        detail=shown.detail,
    )


def known_model(name: str, models_dir: Path) -> Model:
    """The row of a model that is not rembg's alone.

    Raises:
        ModelUnavailable: its row is malformed, or there is none.
    """
    model = find_model(name, models_dir)
    if model is None:
        raise ModelUnavailable(f"{name} is neither built in nor in {models_dir}: {_FETCHED_BY_REMBG}")
    return model
