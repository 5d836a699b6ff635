"""Cut-outs that become worse or slower are noticed here, on fixed pictures and on machines that are busy.

Scores are compared with recorded ones. Time is processor time as a share of what a fixed piece of work takes, both
measured in turn: a machine that is slow or busy is so for both.
"""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.sparse import random_array

from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import CutoutSpec, Refinement
from cutgate.worker.cut_out import cut_out
from cutgate.worker.cutout.mask.segment import Predict
from cutgate.worker.cutout.pipeline import Frame, required, run_steps, steps_for
from cutgate.worker.cutout.raster.filters import to_levels
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image
from cutgate.worker.settings import EngineName, NetworkSettings
from tests.pictures import scores
from tests.pictures.composites import named
from tests.worker.cutout.runs import given, go_on

RECORDED: Final = {"mug": (0.281, 0.620), "bear": (1.702, 1.513), "portrait": (0.345, 0.2365)}
"""SAD in thousands of pixels and gradient error in thousands, of the whole pipeline with the default network: of a
hard edge, of fur, and of hair."""

SLACK: Final = 1.02

MOST_OF_WORK: Final = 1.05
"""A job's processor time, without its network's, over that of `fixed_work`; recorded are 0.59 to 0.80. Kinds and
sizes of the work are the job's own, since processors differ in how fast they are at each."""

ROUNDS: Final = 5

LIMITS: Final = SourceLimits(max_bytes=2**24, max_pixels=2**24, max_side_px=2**12)


@pytest.fixture(scope="module")
def network(weights_dir: Path) -> Predict:
    settings = NetworkSettings(models_dir=weights_dir, engine=EngineName.ONNXRUNTIME)
    return load_segmenter(settings)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("name", RECORDED)
def test_cut_outs_are_as_near_to_the_truth_as_recorded(name: str, network: Predict) -> None:
    picture = named(name)
    frame = run_steps(steps_for(CutoutSpec(model="default"), network), Frame(picture=picture.photo), go_on)
    alpha = required(frame.alpha) / 255
    sad, gradient = RECORDED[name]
    assert scores.sad(alpha, picture.alpha) <= SLACK * sad
    assert scores.gradient_error(alpha, picture.alpha) <= SLACK * gradient


def job() -> Callable[[], object]:
    """A whole job on a portrait, from JPEG to PNG, whose mask is there already."""
    portrait = named("portrait")
    file = io.BytesIO()
    Image.fromarray(portrait.photo).save(file, "JPEG", quality=92)
    data, predict = file.getvalue(), given(portrait.coarse_mask())
    spec = CutoutSpec(model="given", refinement=Refinement.ON)
    return lambda: finish(cut_out(read_image(data, LIMITS), spec, predict, go_on), Finish.of(spec))


def fixed_work() -> Callable[[], object]:
    """Work of the kinds and sizes that a job is made of: sparse products, gathers, sums, blurs, erosions."""
    random = np.random.default_rng(0)
    matrix: Any = random_array((8_000, 60_000), density=25 / 60_000, format="csr", dtype=np.float32, rng=random)
    vector = random.random(60_000, np.float32)
    planes = random.random((3, 256, 256), np.float32)
    places = random.integers(0, 20_000, 30_000)
    blocks = random.random((20_000, 3, 3), np.float32)
    levels = to_levels(planes[0])

    def work() -> None:
        for _ in range(200):
            vector[:8_000] += 1e-9 * (matrix @ vector)
        for _ in range(100):
            np.einsum("n,n->n", vector.take(places), vector[:30_000])
            blocks.take(places[:5_000], axis=0).astype(np.float64)
        for _ in range(10):
            np.einsum("nij,njk->nik", blocks, blocks)
            np.ascontiguousarray(np.moveaxis(planes, 0, -1))
            cv2.erode(levels, np.ones((15, 15), np.uint8))
            for plane in planes:
                cv2.blur(cv2.resize(plane, (512, 512), interpolation=cv2.INTER_LINEAR), (45, 45))

    return work


def least_cpu_seconds(*calls: Callable[[], object]) -> list[float]:
    """Of each call the least of some rounds, in which they take turns."""
    least = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            started = time.process_time()
            call()
            least[place] = min(least[place], time.process_time() - started)
    return least


@pytest.mark.usefixtures("_one_thread")
def test_a_job_takes_no_more_of_the_processor_than_recorded() -> None:
    once = job()

    def twice() -> None:
        once()
        once()

    seconds, slowed, work = least_cpu_seconds(once, twice, fixed_work())
    assert seconds <= MOST_OF_WORK * work
    assert slowed > MOST_OF_WORK * work, "this test would not notice a job that takes twice as long"
