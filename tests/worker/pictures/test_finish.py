"""Crop and background, from a result to a file."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cutgate.jobs.composition import Composition, Margins
from cutgate.jobs.spec import Colour, CutoutSpec, FileFormat
from cutgate.worker.composition.backdrop import alpha_over, cover_fit, subject_box
from cutgate.worker.cutout.raster.arrays import STRIP_ROWS, Bytes, RgbaImage
from cutgate.worker.cutout.raster.geometry import Region
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, Finished, finish
from tests.worker.pictures.samples import by_cv2, subject, wide_profile


def pixels_of(finished: Finished, mode: str = "RGBA") -> Bytes:
    with Image.open(io.BytesIO(finished.data)) as picture:
        assert picture.size == (finished.width_px, finished.height_px)
        return np.asarray(picture.convert(mode))


def test_nothing_asked_is_the_result_itself() -> None:
    finished = finish(Picture(pixels=subject()), Finish.of(CutoutSpec(model="m")))
    assert finished.media_type == "image/png"
    np.testing.assert_array_equal(pixels_of(finished), subject())


def test_a_spec_says_how() -> None:
    spec = CutoutSpec(
        model="m",
        file_format=FileFormat.WEBP,
        quality=60,
        background=(1, 2, 3, 4),
        composition=Composition(crop=Margins.parse("5")),
    )
    how = Finish.of(spec)
    assert (how.file_format, how.quality) == (FileFormat.WEBP, 60)
    assert (how.background, how.composition.crop) == ((1, 2, 3, 4), Margins.parse("5"))
    assert finish(Picture(pixels=subject()), how).media_type == "image/webp"


def test_the_subjects_box_without_haze() -> None:
    alpha = subject()[..., 3].copy()
    alpha[0, 0] = 7
    assert subject_box(alpha) == Region(20, 10, 28, 14)
    assert subject_box(alpha.astype(np.uint16) * 257) == Region(20, 10, 28, 14)
    assert subject_box(np.full((5, 9), 7, np.uint8)) is None


@given(st.lists(st.tuples(st.integers(0, 2 * STRIP_ROWS + 8), st.integers(0, STRIP_ROWS + 8)), max_size=4))
def test_the_box_of_a_large_pictures_subject(places: list[tuple[int, int]]) -> None:
    pixels = np.zeros((2 * STRIP_ROWS + 9, STRIP_ROWS + 9, 4), np.uint8)
    for place in places:
        pixels[place][3] = 255
    rows, columns = np.nonzero(pixels[..., 3])
    box = Region(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if places else None
    assert subject_box(pixels[..., 3]) == box


@pytest.mark.parametrize("mask", [False, True])
def test_a_cropped_result(mask: bool) -> None:
    pixels = np.ascontiguousarray(subject()[..., 3]) if mask else subject()
    finished = finish(Picture(pixels=pixels), Finish(composition=Composition(crop=Margins.parse("1"))))
    assert (finished.width_px, finished.height_px) == (10, 6)
    np.testing.assert_array_equal(pixels_of(finished, "L" if mask else "RGBA"), pixels[9:15, 19:29])


@pytest.mark.parametrize(
    ("alpha", "nothing", "half"),
    [
        (255, [0, 0, 255, 255], [128, 0, 127, 255]),
        (128, [0, 0, 255, 128], [170, 0, 85, 192]),  # over one another, two halves hide three quarters
        (0, [0, 0, 0, 0], [255, 0, 0, 128]),
    ],
)
def test_a_colour_behind(alpha: int, nothing: list[int], half: list[int]) -> None:
    seen = pixels_of(finish(Picture(pixels=subject()), Finish(background=(0, 0, 255, alpha))))
    assert [seen[place].tolist() for place in ((0, 0), (10, 20), (10, 24))] == [nothing, [255, 0, 0, 255], half]


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4))),
    st.tuples(*[st.integers(0, 255)] * 3),
    st.integers(1, 255),
)
def test_laying_over_is_what_pillow_does(front: RgbaImage, colour: tuple[int, int, int], alpha: int) -> None:
    seen = alpha_over(front, np.array([[colour]], np.uint8), alpha).astype(int)
    behind = Image.new("RGBA", front.shape[1::-1], (*colour, alpha))
    expected = np.asarray(Image.alpha_composite(behind, Image.fromarray(front))).astype(int)
    assert np.abs(seen[..., 3] - expected[..., 3]).max() <= 1
    # Where little is seen at all, Pillow's own rounding of alpha shows in its colours.
    shown = expected[..., 3:] / 255
    assert np.abs((seen - expected) * shown)[..., :3].max() <= 1.5


@pytest.mark.parametrize("background", [None, (10, 200, 30, 0), (10, 200, 30, 255)])
def test_jpeg_is_never_black_where_nothing_is(background: Colour | None) -> None:
    how = Finish(file_format=FileFormat.JPEG, quality=100, background=background)
    finished = finish(Picture(pixels=subject()), how)
    assert finished.media_type == "image/jpeg"
    expected = (255, 255, 255) if background is None else background[:3]
    assert np.abs(pixels_of(finished, "RGB")[0, 0].astype(int) - expected).max() <= 2
    empty = finish(Picture(pixels=np.zeros((9, 9, 4), np.uint8)), how)
    assert np.abs(pixels_of(empty, "RGB").astype(int) - expected).max() <= 2


@pytest.mark.parametrize("file_format", [FileFormat.PNG, FileFormat.JPEG])
def test_a_picture_behind_covers(file_format: FileFormat) -> None:
    rows = np.repeat(np.arange(100, dtype=np.uint8), 20).reshape(100, 20)
    behind = np.dstack([rows] * 3)
    how = Finish(file_format=file_format, quality=100, background=behind)
    seen = pixels_of(finish(Picture(pixels=np.zeros((10, 20, 4), np.uint8)), how), "RGB")
    assert np.abs(seen[:, 0, 0].astype(int) - np.arange(45, 55)).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (7, 9), (300, 200)], ids=str)
@pytest.mark.parametrize("behind", [(1, 1), (1, 9), (9, 1), (40, 30)], ids=str)
def test_any_picture_covers_any_size(size: tuple[int, int], behind: tuple[int, int]) -> None:
    assert cover_fit(np.zeros((*behind, 3), np.uint8), *size).shape == (*size, 3)


def test_a_mask_has_no_background() -> None:
    mask = np.ascontiguousarray(subject()[..., 3])
    seen = pixels_of(finish(Picture(pixels=mask), Finish(background=(255, 0, 0, 255))), "L")
    np.testing.assert_array_equal(seen, mask)


@pytest.mark.parametrize("as_picture", [False, True])
def test_a_background_is_srgb_and_follows_a_kept_profile(as_picture: bool) -> None:
    picture = Picture(pixels=np.zeros((4, 4, 4), np.uint8), icc_profile=wide_profile())
    background = np.full((2, 2, 3), (0, 255, 0), np.uint8) if as_picture else (0, 255, 0, 255)
    seen = pixels_of(finish(picture, Finish(background=background)))
    # In this profile red means green.
    assert seen[0, 0].tolist() == pytest.approx([255, 0, 0, 255], abs=3)


def test_sixteen_bits_over_a_colour() -> None:
    pixels = np.zeros((1, 3, 4), np.uint16)
    pixels[0, 0], pixels[0, 1] = (40_001, 3, 65_535, 65_535), (65_535, 0, 0, 32_768)
    seen = by_cv2(finish(Picture(pixels=pixels), Finish(background=(0, 0, 255, 255))).data)
    assert seen.dtype == np.uint16
    assert seen[0].tolist() == [[40_001, 3, 65_535, 65_535], [32_768, 0, 32_767, 65_535], [0, 0, 65_535, 65_535]]


@pytest.mark.parametrize(
    ("background", "media_type"),
    [(None, "image/png"), ((1, 2, 3, 128), "image/png"), ((1, 2, 3, 255), "image/jpeg")],
)
def test_the_format_is_png_where_anything_is_transparent(background: Colour | None, media_type: str) -> None:
    how = Finish(file_format=FileFormat.AUTO, background=background)
    assert finish(Picture(pixels=subject()), how).media_type == media_type


def test_a_mask_of_whatever_levels_is_a_png_where_the_format_is_left_open() -> None:
    how = Finish(file_format=FileFormat.AUTO)
    assert finish(Picture(pixels=np.full((3, 3), 255, np.uint8)), how).media_type == "image/png"


def test_a_zip_has_no_background() -> None:
    plain = finish(Picture(pixels=subject()), Finish(file_format=FileFormat.ZIP))
    how = Finish(file_format=FileFormat.ZIP, background=(0, 0, 255, 255))
    assert finish(Picture(pixels=subject()), how).data == plain.data
