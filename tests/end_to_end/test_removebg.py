"""remove.bg's protocol through the real gateway, queue, worker and model: each form of the answer."""

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.servers.stack import ROOT, LiveStack

Bytes = npt.NDArray[np.uint8]
PHOTO = ROOT / "examples" / "coffee.jpg"
Remove = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def remove(stack: LiveStack) -> Remove:
    key = stack.api_key

    def call(accept: str = "*/*", files: Any = None, **fields: str) -> httpx.Response:
        answer = httpx.post(
            f"{stack.url}/v1.0/removebg",
            data=fields,
            files={"image_file": PHOTO.read_bytes(), **(files or {})},
            headers={"X-Api-Key": key, "Accept": accept},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return answer

    return call


def pixels(data: bytes, mode: str = "RGBA") -> Bytes:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode))


def shown(answer: httpx.Response) -> tuple[int, int]:
    """Height and width as the headers have them."""
    return int(answer.headers["X-Height"]), int(answer.headers["X-Width"])


def test_without_a_choice_the_answer_is_a_png_preview(remove: Remove) -> None:
    answer = remove()
    result = pixels(answer.content)
    assert answer.headers["Content-Type"] == "image/png"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert result.shape[:2] == shown(answer)
    assert result[..., 3].size <= 250_000
    assert (result[..., 3] == 0).any()
    assert (result[..., 3] == 255).any()
    with Image.open(PHOTO) as photo:
        assert (int(answer.headers["X-Max-Width"]), int(answer.headers["X-Max-Height"])) == photo.size


def test_json_holds_the_same_picture_and_where_the_subject_is(remove: Remove) -> None:
    data = remove("application/json").json()["data"]
    alpha = pixels(base64.b64decode(data["result_b64"]))[..., 3]
    rows, columns = (np.flatnonzero((alpha > 127).any(axis=axis)) for axis in (1, 0))
    with Image.open(PHOTO) as photo:
        share = photo.width / alpha.shape[1]
    assert abs(data["foreground_top"] - rows[0] * share) < 8 * share
    assert abs(data["foreground_left"] - columns[0] * share) < 8 * share
    assert abs(data["foreground_height"] - (rows[-1] - rows[0] + 1) * share) < 16 * share


def test_a_crop_is_the_subjects_box_and_its_margin(remove: Remove) -> None:
    whole, cropped = remove(size="full"), remove(size="full", crop="true", crop_margin="10px")
    height, width = shown(cropped)
    assert abs(height - min(int(whole.headers["X-Foreground-Height"]) + 20, shown(whole)[0] + 20)) <= 2
    assert abs(width - int(whole.headers["X-Foreground-Width"]) - 20) <= 2
