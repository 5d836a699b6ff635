"""`models compare`: sheets and figures of two networks on real photos."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cutgate.worker.__main__ import main
from cutgate.worker.commands.compare import MOST_PHOTOS
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import write_tiny_model
from tests.test_layers import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))


@pytest.fixture(autouse=True)
def models(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tiny` takes what is dark for the subject, `bright` the rest."""
    write_tiny_model(tiny_settings.models_dir, "bright", bright=True)
    for name in ("models_dir", "cache_dir", "engine", "threads"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ("models", "compare", *map(str, arguments)))


def test_real_photos_side_by_side(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "photos/out"
    (photos / "more").mkdir(parents=True)
    for path in EXAMPLES:
        shutil.copy(path, photos / "more")
    (photos / "broken.jpg").write_bytes(b"no picture")
    (photos / "notes.txt").write_bytes(b"left alone")
    result = compare("tiny", "bright", "--photos", photos, "--out", out)
    assert result.exit_code == 1
    assert result.stderr.count("broken.jpg cannot be read: ") == 1
    head, *lines, sheet = result.stdout.splitlines()
    assert head.split("  ")[0] == "photo"
    assert [line.split()[0] for line in lines] == [f"more/{path.name}" for path in EXAMPLES]
    assert all(float(line.split()[1]) < 0.2 for line in lines)
    assert [sheet] == [str(path) for path in out.iterdir()]
    with Image.open(sheet) as image:
        assert image.width > 8 * 200
        levels = np.asarray(image).astype(int)
    alone = {"red": levels[..., 0] - levels[..., 2] > 150, "blue": levels[..., 2] - levels[..., 0] > 150}
    assert all(np.count_nonzero(where) > 10_000 for where in alone.values())


def test_a_model_beside_itself(tmp_path: Path) -> None:
    result = compare("tiny", "tiny:exact", "--photos", ROOT / "examples", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [row["iou"] for row in found["rows"]] == [1.0] * len(EXAMPLES)
    assert all(row["soft"][0] == row["soft"][1] and min(row["seconds"]) > 0 for row in found["rows"])
    assert all(0 < row["confidence"][0] <= 1 for row in found["rows"])
    assert (found["unread"], len(found["sheets"])) == ([], 1)


def test_a_sheet_holds_ten_photos(tmp_path: Path) -> None:
    for number in range(11):
        Image.new("RGB", (40 + number, 30), "gray").save(tmp_path / f"{number:02}.png")
    result = compare("tiny", "bright", "--photos", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    sheets = sorted((tmp_path / "out").iterdir())
    with Image.open(sheets[0]) as ten, Image.open(sheets[1]) as one:
        assert ten.height > 5 * one.height
    assert len(sheets) == 2


@pytest.mark.parametrize(("count", "said"), [(0, "holds 0 photos"), (MOST_PHOTOS + 1, "compare 1 to 100")])
def test_no_photos_or_too_many(count: int, said: str, tmp_path: Path) -> None:
    for number in range(count):
        (tmp_path / f"{number}.png").touch()
    result = compare("tiny", "bright", "--photos", tmp_path, "--out", tmp_path / "out")
    assert (result.exit_code, said in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()


def test_sheets_do_not_go_where_the_photos_are() -> None:
    result = compare("tiny", "bright", "--photos", ROOT / "examples", "--out", ROOT / "examples/../examples")
    assert (result.exit_code, "holds the photos" in result.stderr) == (1, True)


def test_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    result = compare("tiny", "bright", "--photos", tmp_path, "--out", tmp_path / "out")
    assert (result.exit_code, "no photo can be read" in result.stderr) == (1, True)


def test_a_model_that_is_not_here_shows_before_any_work(tmp_path: Path) -> None:
    result = compare("tiny", "birefnet-lite-matting", "--photos", ROOT / "examples", "--out", tmp_path / "out")
    assert (result.exit_code, "Copy birefnet-lite-matting.onnx" in result.stderr) == (1, True)
    assert EXAMPLES[0].name not in result.stderr
    assert not (tmp_path / "out").exists()
