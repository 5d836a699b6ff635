"""A whole job in this process, as a worker does it: from an encoded photo to an encoded cut-out."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.photos import LIMITS
from jobs.spec import CutoutSpec
from worker.cutout.segment import Predict
from worker.finish import Finish, finish
from worker.images import read_image
from worker.models.runtime import NetworkRun, Segmenter
from worker.runner import cut_out


def do_job(data: bytes, spec: CutoutSpec, predict: Predict) -> bytes:
    """Decode, cut out, encode as the spec says."""
    return finish(cut_out(read_image(data, LIMITS), spec, predict, lambda: None), Finish.of(spec)).data


def network_alone(segmenter: Segmenter) -> Callable[[], object]:
    """The network's run on the picture that it saw last, and nothing else."""
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with KEYCUT_MODEL"
    return network.run_engine
