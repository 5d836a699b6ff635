"""Files of every kind as a worker leaves them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cutgate.jobs.spec import FileFormat, Output
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2
from tests.worker.process.runner_bench import SPEC, Bench, bench, picture

__all__ = ["bench"]


@pytest.mark.parametrize(
    ("file_format", "media_type", "kind"),
    [
        (FileFormat.PNG, "image/png", "PNG"),
        (FileFormat.WEBP, "image/webp", "WEBP"),
        (FileFormat.JPEG, "image/jpeg", "JPEG"),
    ],
)
@pytest.mark.parametrize("output", Output)
def test_the_record_says_what_was_written(
    bench: Bench, file_format: FileFormat, media_type: str, kind: str, output: Output
) -> None:
    asked = {"file_format": file_format, "crop_margin_px": 2, "background": (0, 0, 255, 255), "output": output}
    uid = bench.submit(picture(), SPEC.model_copy(update=asked))
    bench.run()
    result = bench.item(uid).result
    assert result is not None
    assert (result.media_type, result.width_px, result.height_px) == (media_type, 24, 14)
    data = bench.blobs.get(result.blob)
    assert result.size_bytes == len(data)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == (kind, (24, 14))
        expected = (0, 0, 255) if output is Output.CUTOUT else (0, 0, 0)
        assert np.asarray(image.convert("RGB"))[0, 0].tolist() == pytest.approx(expected, abs=6)


def test_16_bits_are_kept_where_it_is_set(bench: Bench) -> None:
    pixels = np.full((8, 8, 4), (60_001, 60_002, 60_003, 65_535), np.uint16)
    seen = []
    for keep_16_bit, file_format in ((False, FileFormat.PNG), (True, FileFormat.PNG), (True, FileFormat.WEBP)):
        uid = bench.submit(write_png(pixels), SPEC.model_copy(update={"file_format": file_format}))
        bench.with_runner(keep_16_bit=keep_16_bit).run()
        result = bench.item(uid).result
        assert result is not None
        seen.append(by_cv2(bench.blobs.get(result.blob)))
    assert [levels.dtype for levels in seen] == [np.uint8, np.uint16, np.uint8]
    np.testing.assert_array_equal(seen[1], pixels)
