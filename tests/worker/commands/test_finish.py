"""`python -m cutgate.worker finish`: delivered PNGs become the files that a caller wants."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cutgate.worker.__main__ import main
from cutgate.worker.cutout.raster.arrays import Levels
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2, subject


def run(orders: list[Any], *arguments: str) -> Result:
    lines = "".join(f"{order if isinstance(order, str) else json.dumps(order)}\n" for order in orders)
    return CliRunner().invoke(main, ["finish", *arguments], input=lines)


def answers(result: Result) -> list[str | None]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["error"] for line in result.stdout.splitlines()]


def delivered(folder: Path, pixels: Levels, **options: Any) -> dict[str, str]:
    (folder / "source").write_bytes(write_png(pixels, **options))
    return {"source": str(folder / "source"), "target": str(folder / "target")}


def test_a_mask_stays_one(tmp_path: Path) -> None:
    order = delivered(tmp_path, np.ascontiguousarray(subject()[..., 3]))
    assert answers(run([order], "--format=jpeg", "--crop-margin=0")) == [None]
    with Image.open(order["target"]) as picture:
        assert (picture.mode, picture.size) == ("L", (8, 4))


@pytest.mark.parametrize(("file_format", "dtype"), [("png", np.uint16), ("webp", np.uint8)])
def test_16_bits_stay_where_they_can(tmp_path: Path, file_format: str, dtype: Any) -> None:
    pixels = subject().astype(np.uint16) * 257
    order = delivered(tmp_path, pixels)
    assert answers(run([order], f"--format={file_format}")) == [None]
    seen = by_cv2(Path(order["target"]).read_bytes())
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen, pixels if dtype is np.uint16 else subject())


def test_one_bad_line_does_not_stop_the_others(tmp_path: Path) -> None:
    order = delivered(tmp_path, subject())
    (tmp_path / "text").write_text("no picture")
    (tmp_path / "cut").write_bytes((tmp_path / "source").read_bytes()[:80])
    wrong = [{**order, "source": str(tmp_path / name)} for name in ("text", "cut", "absent")]
    said = answers(run([*wrong, "nonsense", "[]", "{}", order]))
    assert [text is None for text in said] == [False] * 6 + [True]
    assert said[0] == "the result is not a PNG"
    assert said[1] == "the result is truncated or damaged; fetch it again"
