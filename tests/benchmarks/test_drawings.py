from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.drawings import drawings, main
from cutgate.worker.settings import NetworkSettings


def test_every_row_is_drawn_by_one_command(
    tiny_settings: NetworkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model", "models_dir", "cache_dir"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    written = tmp_path / "rows.jpg"
    call = ["--before", "HEAD", "--out", str(tmp_path / "out"), "--maps", str(tmp_path / "maps")]
    assert main([*call, "--write", str(written)]) == 0
    assert written.is_file()
    names = {drawing.name for drawing in drawings()}
    assert {"lawn", "frayed mask"} <= names
    assert len(list((tmp_path / "out" / "after").iterdir())) == len(names) + 1, "one with an option twice"


def test_a_drawing_and_what_is_seen_of_it_have_one_size() -> None:
    for drawing in drawings():
        assert drawing.picture.dtype == np.uint8
        assert drawing.mask is None or drawing.mask.shape == drawing.picture.shape[:2]
