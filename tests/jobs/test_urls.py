"""Signed result paths."""

import itertools
import string
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cutgate.jobs.ids import new_task_uid, new_token, result_key
from cutgate.jobs.record import Result
from cutgate.jobs.urls import Address, ResultPaths
from tests.jobs.build import new_upload

PATHS = ResultPaths([b"k" * 32])
RESULT = Result(
    blob=result_key(new_task_uid(), 0, new_token()), media_type="image/png", width_px=1, height_px=1, size_bytes=70
)
EXPIRES_AT = 2_000_000_000
PATH = PATHS.path(RESULT, EXPIRES_AT)


def parts_of(path: str) -> tuple[str, str, str]:
    _, route, mac, expires, name = path.split("/", 4)
    assert route == "r"
    return mac, expires, name


MAC, EXPIRES, NAME = parts_of(PATH)


@pytest.mark.parametrize("found", [True, False])
@pytest.mark.parametrize("confidence", [None, 0.0, 0.07, 0.29, 1.0])
def test_a_path_opens_and_says_what_is_told_of_a_result(found: bool, confidence: float | None) -> None:
    path = PATHS.path(replace(RESULT, subject_found=found, confidence=confidence), EXPIRES_AT)
    assert (path == PATH) == (found and confidence is None), "it is the same in every poll"
    address = PATHS.open(*parts_of(path), EXPIRES_AT - 1)
    said = Address(blob=RESULT.blob, media_type="image/png", subject_found=found, confidence=confidence)
    assert address == said


def test_what_it_says_is_signed() -> None:
    for mark in (".none", ".99", ".99.none", ".099"):
        assert PATHS.open(MAC, EXPIRES, NAME.replace(".png", f"{mark}.png"), now_seconds=0) is None


KINDS = "webp jpeg avif bmp gif heic heif tiff"


@pytest.mark.parametrize("media_type", ["application/zip", *(f"image/{kind}" for kind in KINDS.split())])
def test_every_kind_of_picture_has_a_path(media_type: str) -> None:
    for picture in (replace(RESULT, media_type=media_type), replace(new_upload(), media_type=media_type)):
        parts = parts_of(PATHS.path(picture, EXPIRES_AT))
        address = Address(blob=picture.blob, media_type=media_type, subject_found=True)
        assert PATHS.open(*parts, EXPIRES_AT - 1) == address


def test_it_expires() -> None:
    assert PATHS.open(MAC, EXPIRES, NAME, EXPIRES_AT) is None


def test_another_key_opens_nothing() -> None:
    assert ResultPaths([b"j" * 32]).open(MAC, EXPIRES, NAME, 0) is None


def test_the_key_is_not_in_the_repr() -> None:
    assert "kkk" not in repr(PATHS)


def test_no_character_can_be_changed() -> None:
    begin = len("/r/")
    for position in (begin + at for at, character in enumerate(PATH[begin:]) if character != "/"):
        changed = "A" if PATH[position] != "A" else "B"
        altered = PATH[:position] + changed + PATH[position + 1 :]
        assert PATHS.open(*parts_of(altered), now_seconds=0) is None, altered


@pytest.mark.parametrize(
    ("mac", "expires", "name"),
    [
        ("", "", ""),
        (MAC, "", NAME),
        (MAC, f"{EXPIRES}/{NAME.split('/')[0]}", NAME.split("/", 1)[1]),  # the same text, cut elsewhere
        (MAC, EXPIRES.replace("2", "２"), NAME),  # full-width digits
        (MAC, f"0{EXPIRES}", NAME),
        (MAC, f"+{EXPIRES}", NAME),
        (MAC, f"{EXPIRES}\n", NAME),
        (MAC, "9" * 5_000, NAME),
        (MAC, "-1", NAME),
        (MAC, "1e9", NAME),
        (MAC, EXPIRES, NAME.removesuffix(".png")),
        (MAC, EXPIRES, NAME.removesuffix("png")),
        (MAC, EXPIRES, NAME.replace(".png", ".exe")),
        (MAC, EXPIRES, NAME.replace(".png", ".none.none.png")),
        (MAC, EXPIRES, ".none.png"),
        (MAC, EXPIRES, ".png"),
        (MAC, EXPIRES, f"../{NAME}"),
        (f"{MAC}=", EXPIRES, NAME),
        ("é" * 22, EXPIRES, NAME),
        ("\ud800", "\ud800", "\ud800.png"),
    ],
    ids=itertools.count(),
)
def test_hostile_parts_open_nothing(mac: str, expires: str, name: str) -> None:
    assert PATHS.open(mac, expires, name, now_seconds=0) is None


URL_SAFE = string.ascii_letters + string.digits + "-_"
FORGED = st.one_of(
    st.tuples(st.text(URL_SAFE, min_size=len(MAC), max_size=len(MAC)), st.just(EXPIRES), st.just(NAME)),
    st.tuples(st.just(MAC), st.integers(0, 10**15 - 1).map(str), st.just(NAME)),
    st.tuples(
        st.just(MAC),
        st.just(EXPIRES),
        st.builds(lambda at, text: NAME[:at] + text + NAME[at:], st.integers(0, len(NAME)), st.text(min_size=1)),
    ),
)
"""A path of which one part was made up in the right form."""


@given(FORGED)
def test_one_forged_part_opens_nothing(parts: tuple[str, str, str]) -> None:
    assume(parts != (MAC, EXPIRES, NAME))
    assert PATHS.open(*parts, now_seconds=0) is None
