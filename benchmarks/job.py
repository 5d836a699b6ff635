"""A whole job in this process, as a worker does it: from an encoded photo to an encoded cut-out."""

from __future__ import annotations

from benchmarks.photos import LIMITS
from jobs.spec import CutoutSpec
from worker.cutout.segment import Predict
from worker.images import encode_png, read_image
from worker.runner import cut_out


def do_job(data: bytes, spec: CutoutSpec, predict: Predict) -> bytes:
    """Decode, cut out, encode as PNG."""
    pixels, icc_profile = cut_out(read_image(data, LIMITS), spec, predict, lambda: None)
    return encode_png(pixels, icc_profile)
