"""`cutgate cut` where no service runs: this process does it. The tiny network, which finds dark squares."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from cutgate.batches.journal import JOURNAL_NAME
from cutgate.commands.cut import resolve, spooled
from cutgate.commands.options.results import ResultOptions
from tests.cutgate.conftest import run
from tests.pictures.tiny_network import tiny_environment, write_tiny_model

pytestmark = pytest.mark.usefixtures("bare_environment")


def photo(*, subject: bool = True, side_px: int = 64) -> bytes:
    levels = np.full((side_px, side_px, 3), 255, np.uint8)
    if subject:
        levels[side_px // 4 : -side_px // 4, side_px // 4 : -side_px // 4] = 20
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The network, whose graph is prepared once; a test that changes it takes a copy."""
    return tiny_environment(tmp_path_factory.mktemp("tiny")) | {"CUTGATE_THREADS": "2"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, tiny: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two photos in it."""
    for name, value in tiny.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("a.png", "b.jpg"):
        (folder / name).write_bytes(photo())
    return folder


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that a test may change."""
    own = shutil.copytree(os.environ["CUTGATE_MODELS_DIR"], tmp_path / "models")
    monkeypatch.setenv("CUTGATE_MODELS_DIR", str(own))
    return Path(own)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {JOURNAL_NAME}


def piped(*arguments: str, content: bytes) -> "subprocess.CompletedProcess[bytes]":
    """Run the command in a process of its own, with a picture on standard input."""
    command = [sys.executable, "-m", "cutgate", *arguments]
    return subprocess.run(command, input=content, capture_output=True, timeout=100, check=False)


def test_one_photo_goes_beside_itself_and_no_stack_is_started(folder: Path, tmp_path: Path) -> None:
    done = run("cut", "a.png")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "a-cutout.png\n", "")
    assert names(folder) == {"a.png", "b.jpg", "a-cutout.png"}
    assert not (tmp_path / "home").exists()
    with Image.open("a-cutout.png") as cutout:
        assert (cutout.mode, cutout.getpixel((0, 0))[3], cutout.getpixel((32, 32))[3]) == ("RGBA", 0, 255)  # type: ignore[index]


def test_several_go_each_beside_its_own(folder: Path) -> None:
    (folder / "summer").mkdir()
    (folder / "summer" / "c.png").write_bytes(photo())
    (folder / "a.webp").write_bytes(photo())
    result = run("cut", "a.png", "a.webp", "b.jpg", "summer/c.png", "--mask", "--format", "webp")
    assert result.exit_code == 0, result.output
    assert set(result.stdout.split()) == {
        "a.png-mask.webp",
        "a.webp-mask.webp",
        "b-mask.webp",
        "summer/c-mask.webp",
    }
    assert all(Path(name).exists() for name in result.stdout.split())
    assert not (folder / JOURNAL_NAME).exists()
    assert result.stderr == "4 saved.\n"


def test_a_result_beside_its_picture_never_replaces_a_picture(folder: Path) -> None:
    (folder / "a-cutout.png").write_bytes(b"a picture of the caller's")
    result = run("cut", "a.png", "a-cutout.png")
    assert (result.exit_code, "a-cutout.png is a picture or another one's result" in result.stderr) == (1, True)
    assert (folder / "a-cutout.png").read_bytes() == b"a picture of the caller's"


def test_a_folder_wants_a_folder(folder: Path) -> None:
    result = run("cut", folder)
    assert (result.exit_code, "add -o FOLDER" in result.stderr) == (2, True)


def test_a_folder_without_pictures_says_what_is_taken(folder: Path) -> None:
    (folder / "raw").mkdir()
    (folder / "raw" / "a.CR2").write_bytes(b"raw")
    result = run("cut", "raw", "-o", "out")
    said = " ".join(result.stderr.split())
    assert (result.exit_code, ".avif, .bmp" in said, "RAW files have to become one" in said) == (2, True, True)


def test_a_jpeg_lies_over_white(folder: Path) -> None:
    assert run("cut", "a.png", "-o", "c.jpg").stdout == "c.jpg\n"
    with Image.open(folder / "c.jpg") as picture:
        assert (picture.format, picture.getpixel((0, 0))) == ("JPEG", (255, 255, 255))


def test_a_name_without_a_suffix_may_be_a_folders_and_is_asked_for(folder: Path) -> None:
    result = run("cut", "a.png", "-o", "out")
    assert (result.exit_code, "name a file out.png, or a folder out/" in result.stderr) == (2, True), result.stderr
    assert names(folder) == {"a.png", "b.jpg"}
    assert run("cut", "a.png", "-o", "out/").stdout == "out/a.png\n"
    assert run("cut", "b.jpg", "-o", "out").stdout == "out/b.png\n"
    assert run("cut", "a.png", "-o", "named", "--format", "png").stdout == "named\n"
    assert run("cut", "a.png", "-o", "named", "--again").stdout == "named\n"


def test_what_is_made_of_a_cut_out(folder: Path) -> None:
    Image.new("RGB", (3, 2), "blue").save("behind.png")
    options = ("--roi", "0 0 100% 75%", "--crop-margin", "50%", "--scale", "50%", "--position", "0 100%")
    more = ("--shadow", "30%", "--opaque-inside", "--megapixels", "0.001", "--background-image", "behind.png")
    result = run("cut", "a.png", "-o", "c.png", *options, *more)
    assert result.exit_code == 0, result.output
    with Image.open("c.png") as picture:
        assert picture.size == (31, 31)
        assert picture.getpixel((30, 0)) == (0, 0, 255, 255)
        assert picture.getpixel((2, 28)) == (20, 20, 20, 255)


def test_holes_are_kept_or_filled(folder: Path) -> None:
    levels = np.full((64, 64, 3), 255, np.uint8)
    levels[8:56, 8:56] = 20
    levels[20:44, 20:44] = 255
    Image.fromarray(levels).save("label.png")
    for options, expected in (((), 0), (("--holes", "keep"), 0), (("--holes", "fill"), 255)):
        result = run("cut", "label.png", "-o", "c.png", "--again", *options)
        assert result.exit_code == 0, result.output
        with Image.open("c.png") as picture:
            pixel = picture.getpixel((32, 32))
        assert isinstance(pixel, tuple)
        assert pixel[3] == expected, options
    wrong = run("cut", "label.png", "-o", "c.png", "--holes", "open")
    assert (wrong.exit_code, "'open' is not one of 'keep', 'fill'" in wrong.stderr) == (2, True), wrong.stderr


def test_a_pipe_in_and_a_pipe_out(folder: Path) -> None:
    done = piped("cut", "-", content=photo())
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    for cutout in (done.stdout, run("cut", "a.png", "-o", "-").stdout_bytes):
        with Image.open(io.BytesIO(cutout)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (64, 64))
    assert run("cut", "-", "-o", "c.webp", content=photo()).stdout == "c.webp\n"
    assert names(folder) == {"a.png", "b.jpg", "c.webp"}


def test_what_comes_by_a_pipe_and_is_no_picture_leaves_nothing(folder: Path) -> None:
    done = run("cut", "-", content=b"no picture")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: -: the picture could not be cut out: the bytes are not a JPEG")
    assert "Error: standard input is empty: pipe a picture into it" in run("cut", "-").stderr
    assert names(folder) == {"a.png", "b.jpg"}


@pytest.mark.parametrize(("stream", "pictures", "output"), [("stdout", "a.png", "-"), ("stdin", "-", "c.png")])
def test_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch, stream: str, pictures: str, output: str) -> None:
    monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    plain = ResultOptions(given={}, file_format=None, quality=None, model=None)
    command = resolve((Path(pictures),), output, plain)
    with pytest.raises(click.UsageError, match="is a terminal"), spooled(command, as_json=False):
        pytest.fail("it went on")


def test_a_folder_is_remembered(folder: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("cut", ".", "-o", "out").stderr == "2 saved.\n"
    assert run("cut", ".", "-o", "out").stderr.splitlines()[-1] == "0 saved, 2 already there."
    (folder / "a.png").write_bytes(photo(side_px=48))
    assert run("cut", ".", "-o", "out").stdout == "out/a.png\n"
    # Another model's results are others.
    for suffix in ("onnx", "json"):
        (models_dir / f"other.{suffix}").write_bytes((models_dir / f"tiny.{suffix}").read_bytes())
    monkeypatch.setenv("CUTGATE_MODEL", "other")
    assert run("cut", ".", "-o", "out").stderr.endswith("\n2 saved.\n")


def test_a_network_that_cannot_be_had_is_said_once(folder: Path, models_dir: Path) -> None:
    (models_dir / "tiny.onnx").write_bytes(b"no network")
    result = run("cut", "a.png", "b.jpg", "--json")
    [error] = [json.loads(line)["error"] for line in result.stdout.splitlines()]
    assert (result.exit_code, error["code"], "tiny.onnx" in error["message"]) == (1, "NetworkUnavailable", True)
    assert names(folder) == {"a.png", "b.jpg"}


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(folder: Path) -> None:
    """While a picture is being computed: native code must not abort the process that ends around it."""
    album = folder / "album"
    album.mkdir()
    for number in range(6):
        (album / f"{number}.png").write_bytes(photo(side_px=1000))
    command = [sys.executable, "-m", "cutgate", "cut", "album", "-o", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "Error: interrupted; the same command goes on where it was\n")
    done = {path.name for path in (folder / "out").glob("*.png")}
    assert 1 <= len(done) < 6
    result = run("cut", "album", "-o", "out")
    assert result.exit_code == 0, result.output
    assert names(folder / "out") == {f"{number}.png" for number in range(6)}
    assert result.stderr.count("Already there: ") >= 1


@pytest.mark.usefixtures("quick_watch")
def test_a_folder_is_watched_without_a_service(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(photo(subject=False))
    result = run("watch", ".", "-o", "out", "--once", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["task"] for line in lines} == {None}
    assert {Path(line["source"]).name: line["subject"] for line in lines} == {"a.png": True, "b.jpg": False}
    assert names(folder / "out") == {"a.png", "b.png"}


def test_a_model_can_be_named(folder: Path, models_dir: Path) -> None:
    write_tiny_model(models_dir, "bright", bright=True)
    corners = []
    for options in ((), ("--model", "bright")):
        assert run("cut", "a.png", "-o", "c.png", *options).exit_code == 0
        with Image.open("c.png") as picture:
            corners.append(picture.getchannel("A").getpixel((0, 0)))
    assert corners == [0, 255]
    for options in ((), ("--model", "bright")):  # another model's results are others
        assert run("cut", "a.png", "b.jpg", "-o", "out", *options).stderr.endswith("2 saved.\n")


def test_wrong_models_and_settings_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("cut", "a.png", "--model", "no/model")
    assert (result.exit_code, "Error: 'no/model' must be a preset" in result.stderr) == (2, True), result.stderr
    monkeypatch.setenv("CUTGATE_THREADS", "none")
    result = run("cut", "a.png")
    assert (result.exit_code, "CUTGATE_THREADS: must be an integer" in result.stderr) == (2, True)
    assert names(folder) == {"a.png", "b.jpg"}


def test_a_service_is_not_asked_for_a_model(folder: Path) -> None:
    result = run("cut", "a.png", "--model", "best", "--url", "http://127.0.0.1:9", "--public-key", "a")
    assert (result.exit_code, names(folder)) == (2, {"a.png", "b.jpg"})
    assert "each of its accounts has a model" in " ".join(result.stderr.split())
