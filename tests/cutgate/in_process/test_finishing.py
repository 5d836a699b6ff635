"""Delivered PNGs become the files that a caller wants."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cutgate.in_process import finishing
from cutgate.in_process.batch import is_at_work
from cutgate.in_process.finishing import converter
from cutgate.jobs.errors import SourceUndecodable, SourceUnreadable
from cutgate.worker.pictures.delivered import read_delivered
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2, subject


def converted(delivered: bytes, file_format: str, **options: Any) -> bytes:
    return converter(options, file_format=file_format, quality=None)(delivered)


def test_a_mask_stays_one() -> None:
    mask = write_png(np.ascontiguousarray(subject()[..., 3]))
    with Image.open(io.BytesIO(converted(mask, "jpeg", crop_margin="0"))) as picture:
        assert (picture.mode, picture.size) == ("L", (8, 4))


@pytest.mark.parametrize(("file_format", "dtype"), [("png", np.uint16), ("webp", np.uint8)])
def test_16_bits_stay_where_they_can(file_format: str, dtype: Any) -> None:
    pixels = subject().astype(np.uint16) * 257
    seen = by_cv2(converted(write_png(pixels), file_format))
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen, pixels if dtype is np.uint16 else subject())


def test_a_thread_that_finishes_counts_as_one_that_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not end in the ordinary way around its native code."""
    seen = []

    def read(data: bytes, *, keep_16_bit: bool) -> Picture:
        seen.append(is_at_work())
        return read_delivered(data, keep_16_bit=keep_16_bit)

    monkeypatch.setattr(finishing, "read_delivered", read)
    converted(write_png(subject()), "webp")
    assert (seen, is_at_work()) == ([True], False)


def test_what_is_no_whole_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="the result is not a PNG"):
        converted(b"no picture", "webp")
    with pytest.raises(SourceUndecodable, match="the result is truncated or damaged; fetch it again"):
        converted(write_png(subject())[:80], "webp")
    (tmp_path / "text").write_text("no picture")
    with pytest.raises(SourceUnreadable):
        converter({"background_image": tmp_path / "text"}, file_format="png", quality=None)
