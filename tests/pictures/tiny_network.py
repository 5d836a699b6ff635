"""A network of a few hundred bytes that calls dark pixels the subject, or bright ones: real ONNX, real runtime.

`python -m tests.pictures.tiny_network FOLDER` puts it into a models folder.
"""

import json
import sys
from pathlib import Path
from typing import Any

import onnx
import onnx.parser

from cutgate.worker.models.weights.model import WeightsFile

SIDE_PX = 64
STEEPNESS = 20.0


def write_tiny_model(
    models_dir: Path, name: str = "tiny", *, bright: bool = False, free: bool = False, **row: object
) -> str:
    """Put the network and its row into a models folder; select it with `CUTGATE_MODEL=<name>`."""
    logit = row.get("output") in {"logit", "range"}
    onnx.save(tiny_network(sigmoid=not logit, bright=bright, free=free), models_dir / f"{name}.onnx")
    facts = {"input_px": [SIDE_PX, SIDE_PX], "licence": "Apache-2.0", "origin": "made by the tests", **row}
    (models_dir / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
    return name


def tiny_environment(folder: Path) -> dict[str, str]:
    """What has a service run on the tiny network, which is put into the folder."""
    models_dir = folder / "models"
    models_dir.mkdir(parents=True)
    return {
        "CUTGATE_MODEL": write_tiny_model(models_dir),
        "CUTGATE_MODELS_DIR": str(models_dir),
        "CUTGATE_CACHE_DIR": str(folder / "graphs"),
    }


def tiny_network(*, side_px: int = SIDE_PX, sigmoid: bool = True, bright: bool = False, free: bool = False) -> Any:
    """Foreground probability, or log odds, of each pixel: high where its channels' mean is below one half.

    With `bright` it is high above. A `free` one takes pictures of any size.
    """
    steepness = -STEEPNESS if bright else STEEPNESS
    share, odds = -steepness / 3, "odds" if sigmoid else "mask"
    size = "height, width" if free else f"{side_px}, {side_px}"
    return network(
        f"""
        tiny (float[1, 3, {size}] input) => (float[1, 1, {size}] mask)
        <float[1, 3, 1, 1] weight = {{{share}, {share}, {share}}}, float[1] bias = {{{steepness / 2}}}> {{
            {odds} = Conv (input, weight, bias)
            {"mask = Sigmoid (odds)" if sigmoid else ""}
        }}
        """
    )


def network(text: str, opset: int = 17) -> Any:
    """A network written in ONNX's own language."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]>{text}')


def row_of(file_name: str, side_px: int = SIDE_PX, **members: Any) -> WeightsFile:
    """A row that changes nothing about a picture's levels, and whose file nobody checks."""
    return WeightsFile(
        file_name=file_name,
        input_px=(side_px, side_px),
        **{"digest": None, "mean": (0, 0, 0), "std": (1, 1, 1), "licence": "", "origin": "", **members},
    )


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
