"""The demo's signed curl calls are true, and its sheets show what they say."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cutgate.local.data_folder import Account
from cutgate.local.stack import Stack
from cutgate.signing import parse_body, take_signature, verify
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png

DEMO = Path(__file__).parents[3] / "examples" / "demo.py"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OUT", tmp_path)
    return module


def test_the_calls_to_paste_are_signed(demo: ModuleType, service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "photo's name.png"
    photo.write_bytes(png())
    stack = Stack(service.url, Account(PUBLIC_KEY, PRIVATE_KEY))
    hand_in, ask = demo.signed_calls(stack, photo)
    for call in (hand_in, ask):
        body = shlex.split(call)[-1]
        text = Path(body[1:]).read_text() if body.startswith("@") else body
        params, presented = take_signature(parse_body(text))
        assert presented is not None
        assert verify(params, presented, [PRIVATE_KEY])
        assert PRIVATE_KEY not in call
    assert service.gateway.store.waiting(service.gateway.lane) == 1


@pytest.mark.needs("curl")
def test_the_calls_to_paste_answer_with_one_task(demo: ModuleType, service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png())
    calls = demo.signed_calls(Stack(service.url, Account(PUBLIC_KEY, PRIVATE_KEY)), photo)
    for call in calls:
        done = subprocess.run(call, shell=True, check=True, capture_output=True, text=True)
        assert '"RetCode":0' in done.stdout.replace(" ", "")
    assert service.gateway.store.waiting(service.gateway.lane) == 1


def test_a_sheet_is_before_mask_and_cutout_side_by_side(demo: ModuleType, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (60, 40), (200, 0, 0)).save(photo)
    Image.new("L", (60, 40), 255).save(tmp_path / "photo.mask.png")
    Image.new("RGBA", (60, 40), (0, 0, 0, 0)).save(tmp_path / "photo.cutout.png")
    sheet = demo.sheet(photo)
    width, height = 600, demo.TILE_HEIGHT_PX
    assert sheet.size == (3 * width + 2 * demo.GAP_PX, height)
    middles = [sheet.getpixel((width // 2 + column * (width + demo.GAP_PX), height // 2)) for column in range(3)]
    assert middles[:2] == [(200, 0, 0), (255, 255, 255)]
    board = np.asarray(sheet)[:, -width:]
    assert {tuple(colour) for colour in board.reshape(-1, 3)} == {(205, 205, 205), (245, 245, 245)}


def test_the_readmes_picture_is_not_cut_out(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "EXAMPLES", tmp_path)
    for name in ("overview.jpg", "b.png", "a.jpg", "demo.py"):
        (tmp_path / name).touch()
    assert [photo.name for photo in demo.photos()] == ["a.jpg", "b.png"]
