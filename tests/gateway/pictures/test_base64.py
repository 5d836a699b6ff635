"""Tests of Base64 as callers write it."""

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.gateway.pictures.base64 import decode_source
from cutgate.jobs.errors import SourceRejected, SourceTooLarge, SourceUnreadable

DATA = bytes(range(256)) + b"\xfb\xff\xfe?"
PLAIN = base64.b64encode(DATA).decode("ascii")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode("ascii"),
        f"data:image/png;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
        f"DATA:application/x-nonsense;charset=utf-8;BASE64,{PLAIN}",
        f"\n data:image/png;base64,{PLAIN}",
        "\r\n".join(PLAIN[start : start + 76] for start in range(0, len(PLAIN), 76)),
        f"\t {PLAIN} \n",
    ],
)
def test_every_accepted_way_of_writing(text: str) -> None:
    assert decode_source(text, 1_000) == DATA


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.com/cat.png", "HTTPS://example.com/cat.png", " https://example.com/cat.png"),
        *("data:image/png,abcd", "data:image/png;base64", "ab=cd", "abcde", "ab c!", "a picture?"),
        *("AAAA=", "AAAA==", "AAAA===", "AAAA====", "AAAA=====", "RA===", "RAA==", "=", "===", "===="),
        *("ÄÖÜß", "發發發發", "\0\0\0\0"),
    ],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(SourceUnreadable):
        decode_source(text, 1_000)


def test_the_limit_holds_at_its_value_and_not_above() -> None:
    assert decode_source(PLAIN, len(DATA)) == DATA
    for limit in (len(DATA) - 1, len(DATA) - 2, 10):
        with pytest.raises(SourceTooLarge):
            decode_source(PLAIN, limit)


@given(st.text(max_size=60))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        assert len(decode_source(text, 30)) <= 30
    except SourceRejected:
        return


@given(st.text("ABz09+/=-_ \n!", max_size=40))
def test_what_is_read_is_what_the_standard_library_reads(text: str) -> None:
    standard = text.translate(str.maketrans("-_", "+/", " \n"))
    bare = standard.rstrip("=")
    try:
        expected = binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError:
        expected = None
    try:
        assert decode_source(text, 1_000) == expected
    except SourceUnreadable:
        assert expected is None or standard != bare  # more padding than its last group lacks


def test_white_space_is_not_counted_as_bytes_of_the_picture() -> None:
    assert decode_source(" " * 10_000 + PLAIN, len(DATA)) == DATA
