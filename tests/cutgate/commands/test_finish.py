"""Formats, crops and backgrounds of `cutgate cut` with a service, and options that contradict each other."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutgate.local import parts
from tests.cutgate.conftest import Service, run


@pytest.fixture
def delivered() -> bytes:
    """A red square of 4 px on nothing, 20 px on a side."""
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[8:12, 8:12] = (255, 0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("options", "name", "kind"),
    [([], "out.webp", "WEBP"), (["--format", "jpeg", "--quality", "40"], "out.jpg", "JPEG")],
)
def test_the_suffix_or_the_option_says_the_format(
    worked_service: Service, photos: list[Path], options: list[str], name: str, kind: str
) -> None:
    folder = photos[0].parent
    result = worked_service.run("cut", photos[0], "-o", folder / name, *options)
    assert (result.exit_code, result.stdout) == (0, f"{folder / name}\n"), result.output
    with Image.open(folder / name) as picture:
        assert (picture.format, picture.size) == (kind, (20, 20))


def test_crop_and_background(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    target, behind = tmp_path / "out.png", tmp_path / "behind.webp"
    Image.new("RGB", (2, 3), "blue").save(behind, lossless=True)
    for options, size, corner in (
        (("--crop-margin", "3"), (10, 10), (0, 0, 0, 0)),
        (("--crop-margin", "50% 0"), (4, 8), (0, 0, 0, 0)),
        (("--position", "0"), (20, 20), (255, 0, 0, 255)),
        (("--shadow", "100%", "--background", "white"), (20, 20), (255, 255, 255, 255)),
        (("--background", "#00ff0080"), (20, 20), (0, 255, 0, 128)),
        (("--background", "lime"), (20, 20), (0, 255, 0, 255)),
        (("--background-image", behind), (20, 20), (0, 0, 255, 255)),
    ):
        assert worked_service.run("cut", photos[0], "-o", target, *options).exit_code == 0
        with Image.open(target) as picture:
            assert (picture.size, picture.getpixel((0, 0))) == (size, corner)


@pytest.mark.parametrize("delivered", [b"no picture"])
def test_a_result_that_cannot_be_finished(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    result = worked_service.run("cut", photos[0], "-o", tmp_path / "out.webp", "--format", "webp")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {photos[0]}: ")
    assert result.stderr.endswith("could not be converted: SourceUnreadable: the result is not a PNG\n")
    assert not (tmp_path / "out.webp").exists()


def test_a_background_that_is_no_picture(service: Service, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no picture")
    result = service.run("cut", *photos, "-o", tmp_path / "out", "--background-image", tmp_path / "text")
    assert result.exit_code == 2
    assert f"--background-image {tmp_path / 'text'}: the bytes are not a JPEG" in result.stderr
    assert service.gateway.stored() == ()


def test_a_missing_worker(
    service: Service, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.MODULES, "worker", ("no_such_module",))
    result = service.run("cut", photos[0], "-o", tmp_path / "out.webp", "--format", "webp")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: not installed: no_such_module; run pip install 'cutgate[")
    assert service.gateway.stored() == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--box", "1,2,3"], "'1,2,3' is not four whole numbers"),
        (["--box=-9,-9,-5,5"], "-9, -9, -5, 5 has no area in a picture"),
        (["--erode-size", "41"], "0<=x<=40"),
        (["--url", "http://127.0.0.1:9", "-o", "out.png"], "--url needs --public-key"),
        (
            ["--url", "nowhere", "--public-key", "a", "--private-key-file", "key", "-o", "out.png"],
            "url must start with http",
        ),
        (
            ["--url", "http://a", "--private-key-file", "a.png", "-o", "out.png"],
            "a.png is no text with a private key",
        ),
        (["--quality", "5"], "png is always lossless"),
        (["--crop-margin", "-1"], "'-1' is no length: use pixels or a percentage"),
        (["--crop-margin", "1 2 3"], "one, two or four lengths"),
        (["--scale", "120%"], "is no scale"),
        (["--position", "left"], "is no position"),
        (["--shadow", "deep"], "is no opacity"),
        (["--megapixels", "0"], "x>0"),
        (["--region-of-interest", "0 0 9"], "a region is four lengths"),
        (["--foreground-threshold", "10", "--background-threshold", "11"], "must not exceed --foreground"),
        (["--format", "png", "-o", "out.webp"], "png was asked for; name the file .png"),
        (["-o", "out.tiff"], ".tiff is no format that can be written"),
        (["b.png", "-o", "two.png"], "two.png is the name of one file, and there are several results"),
        (["b.png", "-o", "-"], "- stands for one picture and one result"),
        (["-o", "-", "--json"], "cannot both go to standard output"),
    ],
)
def test_wrong_calls_exit_with_2_and_write_nothing(
    options: list[str], said: str, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos[0].parent
    monkeypatch.chdir(folder)
    (folder / "key").write_text("key")
    before = sorted(folder.iterdir())
    result = run("cut", "a.png", "-o", "out/", *options)
    assert sorted(folder.iterdir()) == before
    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.parametrize("option", [("--region-of-interest", "0 0 50% 50%"), ("--opaque-inside",)], ids=str)
def test_what_needs_the_network_is_not_asked_of_a_service(
    worked_service: Service, photos: list[Path], tmp_path: Path, option: tuple[str, ...]
) -> None:
    result = worked_service.run("cut", photos[0], "-o", tmp_path / "out.png", *option)
    assert (result.exit_code, "are not for a service" in result.stderr) == (2, True), result.output
