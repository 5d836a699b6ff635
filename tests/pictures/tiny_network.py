"""A network of a few hundred bytes that calls dark pixels the subject, or bright ones: real ONNX, real runtime.

`python -m tests.pictures.tiny_network FOLDER` puts it into a models folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE_PX = 64
STEEPNESS = 20.0


def write_tiny_model(models_dir: Path, name: str = "tiny", *, bright: bool = False, **row: object) -> str:
    """Put the network and its row into a models folder; select it with `CUTGATE_MODEL=<name>`.

    Args:
        models_dir: the folder, which must exist.
        name: the model's name.
        bright: whether bright pixels are the subject, not dark ones.
        row: members of the JSON row to add or replace, such as `output="logit"` (which also leaves the network's
            sigmoid away).
    """
    logit = row.get("output") in {"logit", "range"}
    onnx.save(tiny_network(sigmoid=not logit, bright=bright), models_dir / f"{name}.onnx")
    facts = {"input_px": [SIDE_PX, SIDE_PX], "licence": "Apache-2.0", "origin": "made by the tests", **row}
    (models_dir / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
    return name


def tiny_network(*, side_px: int = SIDE_PX, sigmoid: bool = True, bright: bool = False) -> Any:
    """Foreground probability, or log odds, of each pixel: high where its channels' mean is below one half.

    With `bright` it is high above.
    """
    steepness = -STEEPNESS if bright else STEEPNESS
    shape = [1, 1, side_px, side_px]
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), -steepness / 3, np.float32), "weight")
    bias = numpy_helper.from_array(np.array([steepness / 2], np.float32), "bias")
    conv = helper.make_node("Conv", ["input", "weight", "bias"], ["odds" if sigmoid else "mask"])
    nodes = [conv, helper.make_node("Sigmoid", ["odds"], ["mask"])] if sigmoid else [conv]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, side_px, side_px])],
        [helper.make_tensor_value_info("mask", TensorProto.FLOAT, shape)],
        [weight, bias],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


if __name__ == "__main__":
    write_tiny_model(Path(sys.argv[1]))
