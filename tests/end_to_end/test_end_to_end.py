"""Submit → poll → download through the real gateway, queue, worker and model, judged on pixels."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.pictures.composites import named
from tests.pictures.scores import iou, sad
from tests.servers.stack import ROOT, LiveStack, cutgate_up

Bytes = npt.NDArray[np.uint8]
PHOTOS = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in {".jpg", ".png"})


def soft(alpha: Bytes) -> int:
    """How many pixels are neither in nor out."""
    return int(((alpha > 0) & (alpha < 255)).sum())


@pytest.fixture(scope="module")
def cut(stack: LiveStack) -> Callable[..., Bytes]:
    """Do one job through the service and give its pixels."""

    def run(source: Path | Bytes, **options: Any) -> Bytes:
        with stack.client() as client:
            job = client.remove_background(source, **options)
            job.wait(timeout_seconds=120)
            with Image.open(io.BytesIO(job.result())) as image:
                return np.asarray(image)

    return run


@pytest.mark.parametrize(
    "photo",
    [pytest.param(photo, marks=[pytest.mark.long] if number else []) for number, photo in enumerate(PHOTOS)],
    ids=lambda path: path.stem,
)
def test_photos_come_back_as_cut_outs(photo: Path, cut: Callable[..., Bytes]) -> None:
    result = cut(photo)
    with Image.open(photo) as image:
        assert result.shape == (image.height, image.width, 4)
    alpha = result[..., 3]
    assert 0.05 < (alpha > 127).mean() < 0.95
    assert not result[alpha == 0].any(), "colour is left under transparent pixels"


@pytest.mark.long
def test_every_parameter_shows_in_the_pixels(cut: Callable[..., Bytes]) -> None:
    portrait = named("portrait")

    def alpha(**options: Any) -> Bytes:
        return cut(portrait.photo, **options)[..., 3]

    height, width = portrait.alpha.shape
    boxed, whole = alpha(box=(0, 0, width, height // 2)), alpha()
    assert iou(boxed[: height // 2] / 255, portrait.alpha[: height // 2]) > 0.9
    assert not boxed[height // 2 :].any()
    assert whole[height // 2 :].any()
    assert np.array_equal(cut(portrait.photo, only_mask=True), whole)

    sharp = {"hair_optimization": "off", "erode_size": 0}
    assert soft(alpha(hair_optimization="off", erode_size=40)) > 1.2 * soft(alpha(**sharp))
    wide = alpha(foreground_threshold=254, background_threshold=1, **sharp)
    narrow = alpha(foreground_threshold=150, background_threshold=100, **sharp)
    assert soft(narrow) < 0.5 * soft(wide)

    on, off = (alpha(hair_optimization=mode) for mode in ("on", "off"))
    assert sad(on / 255, portrait.alpha) < sad(off / 255, portrait.alpha)


@pytest.mark.long
@pytest.mark.needs("gpu")
def test_a_worker_does_a_job_on_the_gpu(tmp_path: Path, weights_dir: Path) -> None:
    with cutgate_up(tmp_path, CUTGATE_DEVICE="gpu", CUTGATE_MODELS_DIR=str(weights_dir)) as live:
        (worker,) = live.workers()
        assert worker["provider"] == "CUDAExecutionProvider"
        with live.client() as client:
            job = client.remove_background(ROOT / "examples" / "coffee.jpg")
            job.wait(timeout_seconds=60)
            job.save(tmp_path / "coffee.png")
    assert (tmp_path / "coffee.png").read_bytes().startswith(b"\x89PNG")
