"""Cutting out in this process: every kind of picture, one network, threads, forks, and what is missing."""

import gc
import io
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutgate import CutgateError, CutoutFailed, LocalError, Remover, remove_background
from cutgate.errors import NetworkUnavailable, PartsMissing
from cutgate.in_process.job import PixelRoom
from cutgate.in_process.remover import _kept
from cutgate.local import parts
from cutgate.worker.cut_out import cut_out
from cutgate.worker.models.engines.runtime import load_segmenter
from tests.test_layers import IMAGE_CODE
from tests.waiting import eventually


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in a fresh process."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The networks that were loaded, with the real function behind it."""
    loaded: list[Any] = []

    def load(*arguments: Any, **options: Any) -> Any:
        loaded.append(load_segmenter(*arguments, **options))
        return loaded[-1]

    monkeypatch.setattr("cutgate.in_process.job.load_segmenter", load)
    return loaded


def alpha(cutout: Any) -> NDArray[np.uint8]:
    return np.asarray(cutout.mask)


def assert_is_the_square(mask: NDArray[np.uint8]) -> None:
    assert mask.shape == (48, 64)
    assert mask[20:28, 28:36].min() > 250
    assert max(mask[:4].max(), mask[:, :8].max()) < 5


def test_every_kind_of_picture_gives_the_same(photo: bytes, levels: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(photo)
    opened = Image.open(path)
    with path.open("rb") as file:
        kinds = [photo, bytearray(photo), path, str(path), file, io.BytesIO(photo), opened, levels]
        cutouts = [remove_background(kind) for kind in kinds]  # type: ignore[arg-type]
    assert_is_the_square(alpha(cutouts[0]))
    for cutout in cutouts:
        assert cutout.subject_found
        assert np.array_equal(cutout.array, cutouts[0].array)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_arrays_of_each_shape_and_depth(levels: NDArray[np.uint8], channels: int, depth: type) -> None:
    grey = np.dstack([levels[..., :1]] * 3 + [np.full(levels.shape[:2], 255, np.uint8)])
    array = grey[..., 0] if channels == 0 else grey[..., :channels]
    array = np.asarray(array.astype(depth) * (257 if depth is np.uint16 else 1))
    before: NDArray[Any] = array.copy()
    array.flags.writeable = False
    cutout = remove_background(array)
    assert cutout.array.dtype == depth
    assert cutout.array.shape == (48, 64, 4)
    assert_is_the_square(alpha(cutout))
    assert np.array_equal(array, before)
    assert cutout.image.mode == "RGBA"


def test_the_alpha_of_an_array_and_of_a_pillow_picture_counts(levels: NDArray[np.uint8]) -> None:
    clear = np.dstack([levels, np.full(levels.shape[:2], 255, np.uint8)])
    clear[:, :32, 3] = 0
    for picture in (clear, Image.fromarray(clear), clear.astype(np.uint16) * 257):
        mask = alpha(remove_background(picture))
        assert (mask[:, :30].max(), mask[20:28, 36:40].min() > 250) == (0, True)


def test_a_pillow_picture_is_turned_upright_and_stays_as_it_is(levels: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    Image.fromarray(np.rot90(levels).copy()).save(file, "PNG", exif=exif)
    picture = Image.open(file)
    info = dict(picture.info)
    assert_is_the_square(alpha(remove_background(picture)))
    assert (picture.size, dict(picture.info)) == ((48, 64), info)
    for mode in ("P", "L", "CMYK", "LA", "YCbCr"):
        assert_is_the_square(alpha(remove_background(Image.fromarray(levels).convert(mode))))


@pytest.mark.parametrize(
    ("picture", "error", "said"),
    [
        (np.zeros((4, 4, 3)), ValueError, "uint8 or uint16, not float64"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, "not (4, 4, 2)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, "not (0, 4, 3)"),
        (Image.new("RGB", (0, 3)), ValueError, "no pixels"),
        (Image.new("F", (9, 9)), CutoutFailed, "32 bits"),
        (b"no picture", CutoutFailed, "not a JPEG"),
        ("https://example.org/a.png", ValueError, "download it first"),
        ("missing.png", FileNotFoundError, "missing.png"),
        (17, TypeError, "int is no picture"),
        (io.StringIO("text"), TypeError, "opened for text"),
    ],
)
def test_what_is_no_picture_says_so(picture: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        remove_background(picture)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"erode_size": 41}, ValueError, "erode_size must be 0 to 40, not 41"),
        ({"hair_optimization": "no"}, ValueError, "hair_optimization must be 'auto', 'on'"),
        ({"holes": "open"}, ValueError, "holes must be 'keep' or 'fill'"),
        ({"background_threshold": 200, "foreground_threshold": 100}, ValueError, "(200) must not exceed"),
        ({"foreground_threshold": -1}, ValueError, "foreground_threshold must be 0 to 255"),
        ({"background": "reddish"}, ValueError, "'reddish' is not a colour such as white"),
        ({"background": "#ffffff", "only_mask": True}, ValueError, "a mask has no background"),
        ({"background": "#ffffff", "background_image": b""}, ValueError, "exclude each other"),
        ({"box": (5, 5, 5, 5)}, ValueError, "box: 5, 5, 5, 5 has no area in a picture"),
        ({"box": (1, 2, 3)}, ValueError, "box: it is left, top, right, bottom in whole pixels, not (1, 2, 3)"),
        ({"box": (0.5, 1, 2, 3)}, ValueError, "in whole pixels"),
        ({"box": (500, 500, 600, 600)}, CutoutFailed, "box"),
        ({"size": 1}, TypeError, "no such option: size"),
        ({"hair": "on"}, TypeError, "no such option: hair; did you mean hair_optimization?"),
        ({"model": "no/model"}, ValueError, "must be a preset"),
    ],
)
def test_a_wrong_option_is_named(photo: bytes, options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        remove_background(photo, **options)
    assert said in str(raised.value)


def test_options_reach_the_pipeline(photo: bytes, levels: NDArray[np.uint8]) -> None:
    mask = remove_background(photo, only_mask=True)
    assert (mask.array.shape, mask.image.mode) == ((48, 64), "L")
    assert np.array_equal(mask.array, alpha(remove_background(photo)))
    assert alpha(remove_background(photo, box=(20, 12, 30, 36)))[:, 40:].max() == 0
    beyond = remove_background(photo, box=(-20, -12, 30, 99))
    assert np.array_equal(beyond.array, remove_background(photo, box=(0, 0, 30, 48)).array)
    assert remove_background(photo, crop_margin=3).image.size == (30, 30)
    grey = np.full((40, 40, 3), 130, np.uint8)  # of which the network is not sure
    assert alpha(remove_background(grey, hair_optimization="off")).max() < 200
    assert alpha(remove_background(grey, hair_optimization="off", foreground_threshold=80)).max() == 255
    assert alpha(remove_background(grey, hair_optimization="off", foreground_threshold=5)).max() == 255
    assert alpha(remove_background(grey, hair_optimization="off", background_threshold=250)).max() == 0
    green = remove_background(photo, background=(0, 255, 0))
    assert tuple(green.array[0, 0]) == (0, 255, 0, 255)
    assert_is_the_square(alpha(green))
    behind = remove_background(photo, background_image=np.full((2, 3, 3), (9, 8, 7), np.uint8))
    assert behind.image.getpixel((0, 0)) == (9, 8, 7, 255)


def test_a_white_label_on_white_is_filled_on_request() -> None:
    card = np.full((64, 64, 3), 255, np.uint8)
    card[8:56, 8:56] = 20
    card[20:44, 20:44] = 255
    kept, filled = remove_background(card, holes="keep"), remove_background(card, holes="fill")
    assert np.array_equal(kept.array, remove_background(card).array)
    assert alpha(kept)[26:38, 26:38].max() == 0
    assert alpha(filled)[26:38, 26:38].min() == 255


def test_without_a_subject_it_says_so() -> None:
    cutout = remove_background(np.full((40, 40, 3), 255, np.uint8))
    assert (cutout.subject_found, cutout.array[..., 3].max()) == (False, 0)
    assert "no subject found" in repr(cutout)


def test_one_network_for_all_threads(photo: bytes, loads: list[Any]) -> None:
    start = threading.Barrier(8)

    def cut(_: int) -> NDArray[np.uint8]:
        start.wait()
        return alpha(remove_background(photo))

    with ThreadPoolExecutor(8) as threads:
        masks = list(threads.map(cut, range(8)))
    assert len(loads) == 1
    for mask in masks:
        assert np.array_equal(mask, masks[0])


def test_each_model_is_loaded_once(photo: bytes, loads: list[Any], tiny: dict[str, str]) -> None:
    from tests.pictures.tiny_network import write_tiny_model

    write_tiny_model(Path(tiny["CUTGATE_MODELS_DIR"]), "bright", bright=True)
    masks = [alpha(remove_background(photo, model=model)) for model in ("bright", None, "bright", None)]
    assert [network.model for network in loads] == ["bright", "tiny"]
    assert (masks[0][0, 0], masks[1][0, 0]) == (255, 0)


def test_a_block_releases_its_network(photo: bytes, loads: list[Any]) -> None:
    with Remover(threads=1) as remover:
        assert loads == []
        remover.remove_background(photo)
        remover.remove_background(photo)
        assert (len(loads), loads[0].threads) == (1, 1)
        network = weakref.ref(loads.pop())
    gc.collect()
    assert network() is None
    with pytest.raises(ValueError, match="the remover is closed"):
        remover.remove_background(photo)


def test_a_forked_process_is_told_instead_of_hanging(photo: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(photo)
    code = """
import os, signal
from cutgate import LocalError, remove_background

def in_a_child():
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            os._exit(0 if remove_background("photo.png").subject_found else 1)
        except LocalError as error:
            os._exit(7 if "spawn" in error.advice else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

before = in_a_child()
remove_background("photo.png")
print(before, in_a_child())
"""
    done = run(f"import os; os.chdir({str(tmp_path)!r})\n{code}", PYTHONWARNINGS="ignore")
    assert (done.returncode, done.stdout) == (0, "0 7\n"), done.stderr


def test_the_import_loads_no_image_library() -> None:
    code = "import sys; from cutgate import Cutout, Remover, remove_background; Remover(); print(*sys.modules)"
    loaded = run(code).stdout.split()
    assert "cutgate.in_process.remover" in loaded
    assert (IMAGE_CODE | {"openvino", "pydantic", "cutgate.jobs"}).isdisjoint(loaded)


def test_nothing_is_said_on_standard_output(tmp_path: Path, photo: bytes, tiny: dict[str, str]) -> None:
    (tmp_path / "photo.png").write_bytes(photo)
    code = f"from cutgate import remove_background; remove_background({str(tmp_path / 'photo.png')!r})"
    remove_background(photo)  # which prepares the graph
    for graph in Path(tiny["CUTGATE_CACHE_DIR"]).glob("*.onnx"):
        graph.write_bytes(b"damaged")
    done = run(code)
    assert (done.returncode, done.stdout, "graph_damaged" in done.stderr) == (0, "", True)


def test_missing_libraries_are_named_with_a_remedy(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parts.MODULES, "worker", ("no_such_module",))
    with pytest.raises(PartsMissing) as raised:
        remove_background(photo)
    assert "not installed: no_such_module; run pip install 'cutgate[worker,cpu]'" in str(raised.value)


def test_weights_that_cannot_be_had_say_what_to_do(
    photo: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a machine without a network and with an empty models folder."""
    for name, value in {"CUTGATE_MODEL": "u2netp", "CUTGATE_MODELS_DIR": str(tmp_path / "empty")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody listens
    with pytest.raises(NetworkUnavailable) as raised:
        remove_background(photo)
    assert "there are no weights for u2netp" in str(raised.value)
    assert "models fetch u2netp" in str(raised.value)
    said = capsys.readouterr()
    assert said.err.startswith("fetching u2netp.onnx: https://")
    assert said.out == ""
    assert issubclass(NetworkUnavailable, LocalError)
    assert issubclass(CutoutFailed, CutgateError)


def test_a_network_that_could_not_be_loaded_is_tried_again(photo: bytes, tiny: dict[str, str]) -> None:
    network = Path(tiny["CUTGATE_MODELS_DIR"], "tiny.onnx")
    whole = network.read_bytes()
    network.write_bytes(b"no network")
    with pytest.raises(NetworkUnavailable, match=r"tiny\.onnx"):
        remove_background(photo)
    network.write_bytes(whole)
    assert remove_background(photo).subject_found
    assert _kept.cache_info().currsize == 1


def test_wrong_settings_and_large_sources_are_named(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_MAX_SOURCE_PIXELS", "100")
    with pytest.raises(CutoutFailed, match="3072 pixels, the limit is 100") as raised:
        remove_background(photo)
    assert raised.value.kind == "source_too_large"
    _kept.cache_clear()
    monkeypatch.setenv("CUTGATE_THREADS", "none")
    with pytest.raises(ValueError, match="CUTGATE_THREADS"):
        remove_background(photo)


@pytest.mark.parametrize(("most", "at_once"), [("3072", 1), ("6144", 2), ("", 4)])
def test_threads_wait_for_room_in_memory(
    photo: bytes, levels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, most: str, at_once: int
) -> None:
    """Pictures of 3072 pixels, of four kinds, by four threads and two networks."""
    if most:
        monkeypatch.setenv("CUTGATE_PIXELS_AT_ONCE", most)
    inside, seen, together = [0], [0], threading.Barrier(at_once)

    def cut_out_slowly(*arguments: Any, **options: Any) -> Any:
        inside[0] += 1
        seen[0] = max(seen[0], inside[0])
        together.wait(timeout=30)  # as many as may be here are; one more would be counted
        time.sleep(0.05)
        inside[0] -= 1
        return cut_out(*arguments, **options)

    monkeypatch.setattr("cutgate.in_process.job.cut_out", cut_out_slowly)
    kinds: list[Any] = [photo, io.BytesIO(photo), Image.fromarray(levels), levels]
    with Remover() as one, Remover() as other, ThreadPoolExecutor(4) as threads:
        removers = [one, other, one, other]
        cutouts = list(threads.map(lambda remover, kind: remover.remove_background(kind), removers, kinds))
    assert all(cutout.subject_found for cutout in cutouts)
    assert seen == [at_once]


def test_a_picture_behind_counts_and_one_alone_has_room(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    hold = PixelRoom.hold

    def noted(room: PixelRoom, pixel_count: int, most: int | None) -> Any:
        held.append(pixel_count)
        return hold(room, pixel_count, most)

    monkeypatch.setattr(PixelRoom, "hold", noted)
    monkeypatch.setenv("CUTGATE_PIXELS_AT_ONCE", "100")
    remove_background(photo, background_image=np.zeros((10, 20), np.uint8))
    with pytest.raises(CutoutFailed):
        remove_background(photo, box=(500, 500, 600, 600))
    assert remove_background(photo).subject_found  # what failed holds nothing
    assert held == [3072 + 200, 3072, 3072]


def test_who_wants_much_room_is_not_overtaken() -> None:
    room, order = PixelRoom(), list[str]()

    def hold(name: str, pixel_count: int) -> None:
        with room.hold(pixel_count, 10):
            order.append(name)

    with room.hold(5, 10):
        threads = [threading.Thread(target=hold, args=who) for who in (("large", 9), ("small", 1))]
        for thread in threads:
            thread.start()
            eventually(lambda: room._turn.locked())
        time.sleep(0.05)
        assert order == []
    for thread in threads:
        thread.join(30)
    assert order == ["large", "small"]


def test_a_picture_has_so_much_time(photo: bytes) -> None:
    with pytest.raises(CutoutFailed, match="it took longer than 1e-05 s") as raised:
        remove_background(photo, timeout_seconds=1e-5)
    assert raised.value.kind == "timed_out"
    assert remove_background(photo, timeout_seconds=100).subject_found
