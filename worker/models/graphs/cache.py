"""The cache folder: prepared graphs, and what engines make of them, in files whose names hold their digests."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from cutgate.scratch import scratch_folder
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.digests import digest_of
from cutgate.worker.models.weights.files import Weights, put_in_place

log = structlog.get_logger(__name__)

_VERSION: Final = 3
"""Raised whenever the same weights would be prepared differently, so that older graphs are left alone."""
_GRAPH: Final = ".onnx"


class GraphVariant(StrEnum):
    """What a network is made into. The value is part of the prepared file's name."""

    AS_STORED = "cut"
    """Its own numbers, for GPUs."""
    SINGLE = "fp32"
    """Single precision."""
    INT8 = "int8"
    """8-bit integers, by the table of ranges that the weights' row names."""
    INT7 = "int8-of-7-bits"
    """The same with weights of 7 bits, for processors on which 8 would overflow."""


def prepared_graph(weights: Weights, cache_dir: Path, variant: GraphVariant) -> Path:
    """The prepared graph of these weights, from the cache or made now.

    A damaged graph is made anew. That is no guard against whoever can write the folder, so workers that decode
    strangers' pictures should only read it. Workers that start together may each make it; the name always holds a
    whole graph.

    Raises:
        ModelUnavailable: the weights are no ONNX network, cannot be made into it, or the cache cannot be written.
    """
    if (found := find_graph(weights, cache_dir, variant)) is not None:
        return found
    from cutgate.worker.models.graphs.prepare import make_graph  # loads onnx, which nothing else needs

    graph = make_graph(weights, variant)
    try:
        return keep_whole(graph, cache_dir, _stem(weights, variant), _GRAPH)
    except OSError as error:
        raise ModelUnavailable(
            f"{cache_dir} cannot be written ({error.strerror}): set CUTGATE_CACHE_DIR, or run "
            "`python -m cutgate.worker models fetch` with this worker's settings where it can be written"
        ) from error


def find_graph(weights: Weights, cache_dir: Path, variant: GraphVariant) -> Path | None:
    """As `prepared_graph`, without making one."""
    return find_whole(cache_dir, _stem(weights, variant), _GRAPH)


def find_whole(folder: Path, stem: str, suffix: str) -> Path | None:
    """The file of this name whose bytes have the digest that stands between stem and suffix; None without one."""
    for path in folder.glob(f"{stem}.*{suffix}"):
        try:
            if digest_of(path, cache_dir=folder) == path.suffixes[-2].removeprefix("."):
                return path
        except OSError:
            continue  # another process may just have replaced it
        log.warning("graph_damaged", path=str(path))
    return None


def keep_whole(content: bytes | memoryview, folder: Path, stem: str, suffix: str) -> Path:
    """Write a file for `find_whole`."""
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as scratch:
        written = scratch / "file"
        written.write_bytes(content)
        return put_in_place(written, folder / f"{stem}.{hashlib.sha256(content).hexdigest()}{suffix}")


def _stem(weights: Weights, variant: GraphVariant) -> str:
    output = weights.row.output_name
    # A name of a network's own may hold what no file's name may.
    kept = f"-{hashlib.sha256(output.encode()).hexdigest()[:12]}" if output else ""
    return f"{weights.sha256}-{variant}{kept}-v{_VERSION}"
