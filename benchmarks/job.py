"""A whole job in this process, as a worker does it: from an encoded photo to an encoded cut-out."""

from collections.abc import Callable
from typing import Any

from benchmarks.photos import LIMITS
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cut_out import cut_out
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import Segmenter
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image


def do_job(data: bytes, spec: CutoutSpec, segmenter: Segmenter) -> bytes:
    """Decode, cut out, encode as the spec says."""
    source = read_image(data, LIMITS)
    # A commit to compare with may know of no other meaning of soft levels.
    soft: dict[str, Any] = {"soft": segmenter.soft} if hasattr(segmenter, "soft") else {}
    picture = cut_out(source, spec, segmenter, lambda: None, **soft)
    return finish(picture, Finish.of(spec)).data


def network_alone(segmenter: Segmenter, data: bytes) -> Callable[[], object]:
    """The network's run on a photo, and nothing else."""
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with CUTGATE_MODEL"
    return network.alone(read_image(data, LIMITS).rgb)
