"""Submit → poll → download through the real gateway, queue, worker and model, judged on pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cutgate import JobFailed
from cutgate.signing import sign_params
from tests.pictures.composites import COMPOSITES, Composite
from tests.servers.stack import ROOT, LiveStack
from tests.waiting import eventually

Bytes = npt.NDArray[np.uint8]
PHOTOS = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in {".jpg", ".png"})
HAIRY = "portrait"
MIN_IOU = 0.95


def pixels(data: bytes) -> Bytes:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def png(rgb: Bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def iou(alpha: Bytes, truth: npt.NDArray[np.floating[Any]]) -> float:
    found, there = alpha > 127, truth > 0.5
    return float((found & there).sum() / (found | there).sum())


def soft(alpha: Bytes) -> int:
    """How many pixels are neither in nor out."""
    return int(((alpha > 0) & (alpha < 255)).sum())


@pytest.fixture(scope="module")
def cut(stack: LiveStack) -> Callable[..., Bytes]:
    """Do one job through the service and give its pixels; equal jobs are done once."""
    done: dict[tuple[object, ...], Bytes] = {}

    def run(source: bytes, **options: Any) -> Bytes:
        key = (source, *sorted(options.items()))
        if key not in done:
            with stack.client() as client:
                job = client.remove_background(source, **options)
                job.wait(timeout_seconds=120)
                done[key] = pixels(job.result())
        return done[key]

    return run


@pytest.fixture(scope="module")
def portrait() -> Composite:
    return next(composite for composite in COMPOSITES if HAIRY in composite.name)


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda path: path.stem)
def test_photos_come_back_as_cut_outs(photo: Path, cut: Callable[..., Bytes]) -> None:
    result = cut(photo.read_bytes())
    with Image.open(photo) as image:
        assert result.shape == (image.height, image.width, 4)
    alpha = result[..., 3]
    assert 0.05 < (alpha > 127).mean() < 0.95
    assert not result[alpha == 0].any(), "colour is left under transparent pixels"


@pytest.mark.parametrize("composite", COMPOSITES, ids=lambda composite: composite.name)
def test_composites_match_their_alpha(composite: Composite, cut: Callable[..., Bytes]) -> None:
    assert iou(cut(png(composite.photo))[..., 3], composite.alpha) >= MIN_IOU


def test_known_foreground_keeps_its_colours(portrait: Composite, cut: Callable[..., Bytes]) -> None:
    result = cut(png(portrait.photo))
    inside = result[..., 3] == 255
    assert np.array_equal(result[inside][:, :3], portrait.photo[inside])


def test_box_keeps_the_subject_to_the_box(portrait: Composite, cut: Callable[..., Bytes]) -> None:
    height, width = portrait.alpha.shape
    box = (0, 0, width, height // 2)
    boxed, whole = cut(png(portrait.photo), box=box)[..., 3], cut(png(portrait.photo))[..., 3]
    assert boxed.shape == whole.shape
    assert not boxed[height // 2 :].any()
    assert whole[height // 2 :].any()
    assert iou(boxed[: height // 2], portrait.alpha[: height // 2]) > 0.9


def test_only_mask_is_exactly_the_alpha(portrait: Composite, cut: Callable[..., Bytes]) -> None:
    mask = cut(png(portrait.photo), only_mask=True)
    assert mask.ndim == 2
    assert np.array_equal(mask, cut(png(portrait.photo))[..., 3])


@pytest.mark.parametrize("hair", ["on", "off"])
def test_a_larger_erode_size_softens_the_edge(hair: str, portrait: Composite, cut: Callable[..., Bytes]) -> None:
    hard = cut(png(portrait.photo), erode_size=0, hair_optimization=hair)[..., 3]
    wide = cut(png(portrait.photo), erode_size=40, hair_optimization=hair)[..., 3]
    assert soft(wide) > 1.2 * soft(hard)


def test_thresholds_narrow_the_soft_edge(portrait: Composite, cut: Callable[..., Bytes]) -> None:
    options = {"hair_optimization": "off", "erode_size": 0}
    wide = cut(png(portrait.photo), foreground_threshold=254, background_threshold=1, **options)[..., 3]
    narrow = cut(png(portrait.photo), foreground_threshold=150, background_threshold=100, **options)[..., 3]
    assert soft(narrow) < 0.5 * soft(wide)


def test_hair_optimization_brings_alpha_and_colours_nearer_to_the_truth(
    portrait: Composite, cut: Callable[..., Bytes]
) -> None:
    on, off = (cut(png(portrait.photo), hair_optimization=mode) for mode in ("on", "off"))
    band = (portrait.alpha > 0.02) & (portrait.alpha < 0.98)

    def alpha_error(result: Bytes) -> float:
        return float(np.abs(result[..., 3] / 255 - portrait.alpha)[band].mean())

    def colour_error(result: Bytes) -> float:
        """Mean difference from the truth over a background that shows every fringe."""
        green = np.array([0, 177, 64])
        got = result[..., 3:] / 255 * result[..., :3] + (1 - result[..., 3:] / 255) * green
        alpha = portrait.alpha[..., None]
        truth = alpha * portrait.foreground + (1 - alpha) * green
        return float(np.abs(got - truth)[band].mean())

    assert alpha_error(on) < alpha_error(off)
    assert colour_error(on) < colour_error(off)


def test_a_truncated_jpeg_ends_as_an_error_that_helps(stack: LiveStack) -> None:
    data = (ROOT / "examples" / "grace_hopper.jpg").read_bytes()
    with stack.client() as client:
        job = client.remove_background(data[: len(data) // 2])
        with pytest.raises(JobFailed) as failed:
            job.wait(timeout_seconds=60)
    assert failed.value.code == 1001
    assert "truncated" in str(failed.value)
    eventually(lambda: not (stack.data / "blobs" / job.uid).exists(), say=lambda: "the input was not deleted")
    assert "Traceback" not in str(failed.value)


def test_nothing_but_the_result_stays_of_a_finished_job(stack: LiveStack) -> None:
    with stack.client() as client:
        job = client.remove_background((ROOT / "examples" / "coffee.jpg").read_bytes())
        job.wait(timeout_seconds=60)
    folder = stack.data / "blobs" / job.uid / "0"
    # The source goes after the record says Finished.
    eventually(lambda: [path.name.partition("-")[0] for path in folder.iterdir()] == ["result"])


def test_results_are_fetched_without_a_key_and_cannot_be_guessed(stack: LiveStack) -> None:
    with stack.client() as client:
        job = client.remove_background((ROOT / "examples" / "coffee.jpg").read_bytes())
        job.wait(timeout_seconds=60)
        url = job.status().result_urls[0]
        assert job.status().result_urls == (url,), "the address is the same in every poll"
    answer = httpx.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    altered = url.replace("/r/", "/r/A", 1)
    assert httpx.get(altered).status_code == 404


def test_a_batch_comes_back_in_order_without_polling(stack: LiveStack) -> None:
    names = ("coffee.jpg", "grace_hopper.jpg", "chelsea.jpg")
    sources = [(ROOT / "examples" / name).read_bytes() for name in names]
    sources[1] = sources[1][: len(sources[1]) // 2]
    pictures = [base64.b64encode(source).decode() for source in sources]
    task_uid = call(stack, "RemoveBackgroundsInBatch", RawImages=pictures, OnlyMask=True)["TaskUID"]
    [entry] = call(stack, "ListTasksDetails", TaskUIDList=[task_uid], WaitSeconds=30)["TaskDetailList"]
    assert (entry["Status"], entry["ErrorCode"], entry["ConsumeApiPoint"]) == ("Finished", 1001, 2)
    assert entry["ErrorMassage"].startswith("RawImages [1]: Image truncated")
    assert entry["ImgList"][1] == ""
    for index in (0, 2):
        with Image.open(io.BytesIO(sources[index])) as source:
            mask = pixels(httpx.get(entry["ImgList"][index]).content)
            assert mask.shape == (source.height, source.width)


def call(stack: LiveStack, action: str, **fields: Any) -> dict[str, Any]:
    """Sign and send a request."""
    params = {"Action": action, "PublicKey": stack.public_key, **fields}
    signature = sign_params(params, stack.private_key)
    answer = httpx.post(stack.url, json={**params, "Signature": signature}, timeout=60).json()
    assert answer["RetCode"] == 0, answer
    return dict(answer)
