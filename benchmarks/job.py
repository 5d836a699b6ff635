"""A whole job in this process, as a worker does it: from an encoded photo to an encoded cut-out."""

from collections.abc import Callable
from typing import Any

from benchmarks.photos import LIMITS
from cutgate.jobs.spec import CutoutSpec
from cutgate.worker.cut_out import cut_out
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import Segmenter
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import SourceImage, read_image


def cut(
    source: SourceImage, spec: CutoutSpec, segmenter: Segmenter, ended: Callable[[str], None] | None = None
) -> Picture:
    """Cut out what is decoded; `ended` is told of each step's end."""
    # What a network's greys mean has another name at other commits, or none.
    others: dict[str, Any] = {
        name: getattr(segmenter, name) for name in ("reading", "soft") if hasattr(segmenter, name)
    }
    if ended is not None:
        others["ended"] = ended
    return cut_out(source, spec, segmenter, lambda: None, **others)


def do_job(data: bytes, spec: CutoutSpec, segmenter: Segmenter) -> bytes:
    """Decode, cut out, encode as the spec says."""
    return finish(cut(read_image(data, LIMITS), spec, segmenter), Finish.of(spec)).data


def holder_of_run(network: NetworkRun) -> tuple[Any, str]:
    """The object that has the network's run as an attribute, by which it may be replaced, and that one's name."""
    # At earlier commits a batcher has the engine's run.
    return (network.batcher, "_run") if hasattr(network, "batcher") else (network, "run")


def network_alone(segmenter: Segmenter, data: bytes) -> Callable[[], object]:
    """The network's run on a photo, and nothing else."""
    network = segmenter.predict
    assert isinstance(network, NetworkRun), "this model runs through rembg; choose another with CUTGATE_MODEL"
    return network.alone(read_image(data, LIMITS).rgb)
