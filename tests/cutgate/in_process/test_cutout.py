"""A cut-out of this process as an object: files by their suffix, and what contradicts itself."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cutgate import CutoutFailed, WrongSuffix, remove_background
from cutgate.formats import require_match
from cutgate.in_process import showing
from cutgate.in_process.batch import is_at_work
from cutgate.in_process.showing import converter
from cutgate.jobs.errors import SourceUndecodable, SourceUnreadable
from cutgate.worker.pictures.delivered import read_delivered
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.png import write_png
from tests.worker.pictures.samples import by_cv2, subject


@pytest.mark.parametrize(
    ("name", "kind", "mode"),
    [
        ("a.png", "PNG", "RGBA"),
        ("a.PNG", "PNG", "RGBA"),
        ("a", "PNG", "RGBA"),
        ("a.webp", "WEBP", "RGBA"),
        ("a.jpg", "JPEG", "RGB"),
        ("a.jpeg", "JPEG", "RGB"),
    ],
)
def test_the_suffix_says_the_format(photo: bytes, tmp_path: Path, name: str, kind: str, mode: str) -> None:
    cutout = remove_background(photo, background="#00ff00" if kind == "JPEG" else None)  # type: ignore[arg-type]
    assert cutout.save(tmp_path / name) == tmp_path / name
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.mode, picture.size) == (kind, mode, (64, 48))
        if kind != "JPEG":
            assert np.array_equal(np.asarray(picture), cutout.array)


def test_what_contradicts_itself_writes_nothing(photo: bytes, tmp_path: Path) -> None:
    cutout = remove_background(photo)
    with pytest.raises(WrongSuffix, match=r"a\.webp: png was asked for; name the file \.png"):
        cutout.save(tmp_path / "a.webp", file_format="png")
    with pytest.raises(WrongSuffix, match=r"\.tiff is no format that can be written"):
        cutout.save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match="JPEG has no transparency: pass background="):
        cutout.save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="'gif' is not a format"):
        cutout.to_bytes("gif")
    with pytest.raises(ValueError, match="quality is 1 to 100"):
        cutout.to_bytes("webp", quality=0)
    assert list(tmp_path.iterdir()) == []
    assert cutout.save(tmp_path / "my.cat", file_format="png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_is_named(photo: bytes, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.png"
    with pytest.raises(FileNotFoundError) as raised:
        remove_background(photo).save(path)
    assert (raised.value.filename, raised.value.filename2) == (str(path), None)
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.png'$"):
        remove_background(photo).save(folder)
    assert not list(tmp_path.glob(".*"))


def test_quality_and_depth_reach_the_file(levels: NDArray[np.uint8]) -> None:
    deep = remove_background(levels.astype(np.uint16) * 257)
    assert deep.to_bytes("png")[24] == 16  # bits per channel, in the header
    noise = np.random.default_rng(1).integers(0, 90, levels.shape, dtype=np.uint8)
    cutout = remove_background(noise)
    assert len(cutout.to_bytes("webp", quality=10)) < len(cutout.to_bytes("webp"))
    with Image.open(io.BytesIO(deep.to_bytes("webp"))) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(deep.image))


def test_a_mask_may_be_a_jpeg(photo: bytes, tmp_path: Path) -> None:
    with Image.open(remove_background(photo, only_mask=True).save(tmp_path / "a.jpg")) as picture:
        assert picture.mode == "L"


def test_a_notebook_shows_it(photo: bytes) -> None:
    assert remove_background(photo)._repr_png_().startswith(b"\x89PNG")


def test_a_content_is_held_to_its_name(tmp_path: Path) -> None:
    require_match(tmp_path / "a.png", b"\x89PNG")
    require_match(tmp_path / "a.webp", b"of no known format")
    require_match(tmp_path / "a.cat", b"\x89PNG")
    with pytest.raises(WrongSuffix, match=r"a\.webp: the result is png; name the file \.png"):
        require_match(tmp_path / "a.webp", b"\x89PNG")


def test_it_is_shown_another_way_without_the_network(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    cutout = remove_background(photo, crop_margin="10%", shadow=0.4, background="white")
    fresh = remove_background(photo, scale=0.5, position=(0, 1), megapixels=0.001)
    monkeypatch.setattr("cutgate.in_process.job.cut_out", None)
    again = cutout.composed(scale=0.5, position=(0, 1), megapixels=0.001)
    assert again.to_bytes() == fresh.to_bytes()
    assert (
        cutout.composed(crop_margin="10%", shadow="40%", background=(255, 255, 255)).to_bytes()
        == cutout.to_bytes()
    )
    behind = np.full((3, 3, 3), (9, 8, 7), np.uint8)
    assert cutout.composed(background_image=behind).image.getpixel((0, 0)) == (9, 8, 7, 255)


def test_the_mask_of_what_is_composed_has_its_size_and_no_shadow(photo: bytes) -> None:
    plain, shaded = (remove_background(photo, crop_margin=5, shadow=shadow) for shadow in (False, True))
    assert shaded.image.size == shaded.mask.size == plain.mask.size
    assert shaded.mask.tobytes() == plain.mask.tobytes()
    assert shaded.array[..., 3].sum() > plain.array[..., 3].sum()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scale": "120%"}, ValueError, "scale: "),
        ({"position": (0.5, 2)}, ValueError, "position: "),
        ({"crop_margin": -3}, ValueError, "crop_margin: '-3' is no length"),
        ({"megapixels": 0}, ValueError, "megapixels: "),
        ({"megapixels": float("nan")}, ValueError, "megapixels: "),
        ({"shadow": 3}, ValueError, "shadow: "),
        ({"background": (1, 2)}, ValueError, "three or four levels"),
        ({"background": (1, 2, 300)}, ValueError, "three or four levels"),
        ({"background_image": b"no picture"}, CutoutFailed, "not a JPEG"),
        ({"region_of_interest": "0 0 9 9"}, TypeError, "no such option"),
    ],
)
def test_what_cannot_be_shown(photo: bytes, options: dict[str, Any], error: type[Exception], said: str) -> None:
    cutout = remove_background(photo)
    with pytest.raises(error) as raised:
        cutout.composed(**options)
    assert said in str(raised.value)


def test_a_region_and_a_window(photo: bytes) -> None:
    half = remove_background(photo, region_of_interest="0 0 50% 100%").array[..., 3]
    assert half[:, :32].any()
    assert not half[:, 32:].any()
    with pytest.raises(ValueError, match="exclude each other"):
        remove_background(photo, region_of_interest="0 0 50% 100%", box=(0, 0, 9, 9))
    with pytest.raises(CutoutFailed, match="beyond the picture"):
        remove_background(photo, region_of_interest="0 0 5000px 100%")
    with pytest.raises(ValueError, match="a mask has no shadow"):
        remove_background(photo, only_mask=True, shadow=True)


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

    monkeypatch.setattr(showing, "read_delivered", read)
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


def test_it_is_corrected_without_the_network(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    cutout = remove_background(photo, hair_optimization="off", erode_size=0, background="#00ff00")
    eroded = remove_background(photo, hair_optimization="off", erode_size=4, background="#00ff00")
    monkeypatch.setattr("cutgate.in_process.remover.Remover.load", None)
    assert cutout.refine().to_bytes() == cutout.to_bytes()
    assert cutout.refine(erode_size=4).to_bytes() == eroded.to_bytes()
    kept = cutout.refine(keep=[[(4.4, 4)]], radius_px=2)
    both = kept.refine(remove=[[(32, 24)]], radius_px=3)
    for found, at_background, at_subject in ((cutout, 0, 255), (kept, 255, 255), (both, 255, 0)):
        mask = found.mask
        assert (mask.getpixel((4, 4)), mask.getpixel((32, 24))) == (at_background, at_subject)
    assert both.image.getpixel((32, 24)) == (0, 255, 0, 255)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"keep": [(1, 2)]}, ValueError, "keep: it is a list of strokes"),
        ({"remove": [[(1, 2)]], "radius_px": 0}, ValueError, "radius_px must be at least 1"),
        ({"keep": [[(70_000, 2)]]}, ValueError, "points must be at most 65536"),
        ({"keep": [[(1, 2)]] * 101}, ValueError, "strokes must have at most 100 elements"),
        ({"foreground_threshold": 3}, ValueError, "must not exceed"),
        ({"box": (1, 2, 3, 4)}, TypeError, "no such option: box"),
    ],
)
def test_what_is_no_correction_is_refused(
    photo: bytes, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        remove_background(photo).refine(**changes)
