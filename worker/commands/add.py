"""`models add`: a file of weights that is on the disk, checked, tried and put in its place."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cutgate.files import write_whole
from cutgate.jobs.spec import ModelChoice
from cutgate.scratch import scratch_folder
from cutgate.worker.commands.bench import sample_picture
from cutgate.worker.cutout.raster.arrays import LIKELY, Floats
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.plans import plan_for
from cutgate.worker.models.engines.runtime import open_network
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.signature import Signature
from cutgate.worker.models.weights.digests import digest_of
from cutgate.worker.models.weights.files import digest_file, put_in_place, verify_file
from cutgate.worker.models.weights.inventory import known_model
from cutgate.worker.models.weights.model import OutputKind, WeightsFile
from cutgate.worker.models.weights.registry import model_names
from cutgate.worker.settings import NetworkSettings

_ROUNDING: Final = 0.01
"""How far half precision may leave [0, 1]."""
_WALL_PX: Final = 128
"""Left away on two sides of the sample picture, since a square one hides a wrong `fit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A file that is in its place."""

    model: str
    path: str
    sha256: str
    licence: str
    signature: str
    sample: str
    """What the network made of the sample picture."""


def add_file(file: Path, name: str | None, settings: NetworkSettings) -> Added:
    """Check a file of weights, try it on a picture, and copy it into the models folder.

    What model it is says `name`; without one the file's digest does, or its name where a model has no digest.

    Raises:
        ModelUnavailable: it is not what its model's row says, or its map cannot be used; nothing has changed.
        OSError: it cannot be read or copied.
    """
    models_dir = settings.models_dir
    models_dir.mkdir(parents=True, exist_ok=True)
    with scratch_folder(models_dir) as work:
        copy = Path(shutil.copyfile(file, work / file.name))  # which nobody changes after it was checked
        signature, sha256 = Signature.read(copy), digest_of(copy)
        model, row = _row_of(file, name, [f"sha256:{sha256}", f"md5:{digest_of(copy, 'md5')}"], models_dir)
        if fault := signature.fault(row):
            raise ModelUnavailable(f"{file.name} {fault} ({signature})")
        final = models_dir / row.file_name
        if row.digest is None and final.exists() and digest_of(final) != sha256:
            raise ModelUnavailable(f"{final} is another file: run `cutgate models remove {model}` first")
        tried = settings.for_choice(ModelChoice(model=model)).model_copy(update={"cache_dir": work / "graphs"})
        network = open_network(model, verify_file(copy, row), tried, plan_for(tried), warm_up=True)
        sample = _try(network, file.name)
        put_in_place(copy, final)
        if row.digest is None:
            write_whole(digest_file(final), f"{sha256}  {row.file_name}\n".encode())
    return Added(
        model=model, path=str(final), sha256=sha256, licence=row.licence, signature=str(signature), sample=sample
    )


def _row_of(file: Path, name: str | None, digests: list[str], models_dir: Path) -> tuple[str, WeightsFile]:
    """The model that a file is of, and its row: by digest, else by name where the row has no digest."""
    names = model_names(models_dir)
    if name is not None and name not in names:
        raise ModelUnavailable(
            f"there is no model {name}: take one of `cutgate models list`, or describe it in "
            f'{models_dir / name}.json, such as {{"input_px": [1024, 1024], "output": "logit"}}'
        )
    rows: list[WeightsFile] = []
    for candidate in [name] if name else names:
        try:
            rows = list(known_model(candidate, models_dir).files)
        except ModelUnavailable:
            if name or candidate == file.stem:
                raise
            continue
        for row in rows:
            if row.digest in digests or (row.digest is None and candidate == (name or file.stem)):
                return candidate, row
    told = f"{file.name} has {digests[0]}"
    if name is None:
        raise ModelUnavailable(f"{told}, which no model has: say what it is with `--as MODEL`")
    raise ModelUnavailable(
        f"{told}, and {name} {' or '.join(str(row.digest) for row in rows)}: copy the file anew, or describe it "
        "under a name of its own"
    )


def _try(network: NetworkRun, shown: str) -> str:
    """Run a network on the sample picture; what it made of it, for a person."""
    row, picture = network.row, np.ascontiguousarray(sample_picture()[:, _WALL_PX:-_WALL_PX])
    run = network.alone(picture)
    begin = time.perf_counter()
    output = run()[0]
    seconds = time.perf_counter() - begin
    if fault := _fault_of(output, row):
        raise ModelUnavailable(f"{shown} cannot be used: its map of the sample picture {fault}")
    values = f"values from {output.min():.3g} to {output.max():.3g}"
    subject = float(np.mean(network.processing.mask(output, *picture.shape[:2]) >= LIKELY))
    # A network whose file is known may be for people alone.
    if not 0 < subject < 1 and row.digest is None:
        raise ModelUnavailable(
            f"{shown} cannot be used: of the sample picture, an egg before a wall, it takes {subject:.0%} as the "
            f"subject ({values}); correct `mean`, `std`, `fit` and `output`"
        )
    return f"the sample picture: {subject:.0%} subject, {values}, {seconds:.2f} s"


def _fault_of(output: Floats, row: WeightsFile) -> str:
    """Why a network's map is not what its row says; empty if it may be."""
    if not np.isfinite(output).all():
        return "has values that are no numbers: try CUTGATE_ENGINE=onnxruntime, or another export"
    low, high = float(output.min()), float(output.max())
    if low == high:
        return f"is {low:.3g} everywhere: correct `output_name`, `mean` and `std`"
    is_share = low >= -_ROUNDING and high <= 1 + _ROUNDING
    if row.output is OutputKind.PROBABILITY and not is_share:
        return f"has values from {low:.3g} to {high:.3g}, no probabilities: set `output` to logit or range"
    if row.output is OutputKind.LOGIT and is_share:
        return f"has values from {low:.3g} to {high:.3g}, no log odds: set `output` to probability"
    return ""
