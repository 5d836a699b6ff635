"""Form bodies are decoded as they were signed, and stay recognisable as forms."""

import io
import tracemalloc
from urllib.parse import unquote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.signing import DuplicateName, FormRejected, FormText, TooManyValues, parse_form
from cutgate.signing.forms import _CHUNK_BYTES
from cutgate.signing.jsontext import MAX_VALUES


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=&b&=c", {"a": "", "b": "", "": "c"}),
        (b"&a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"a=x=y", {"a": "x=y"}),
        (b"a+b=c+d%2Be", {"a b": "c d+e"}),
        (b"a%3D=%26", {"a=": "&"}),
        (b"a=%E5%8f%91", {"a": "发"}),
        ("发=发".encode(), {"发": "发"}),
        (b"a=100%&b=%zz%4", {"a": "100%", "b": "%zz%4"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=%252B", {"a": "%2B"}),
        (b"a=%\n%\r%=%%41%3D", {"a": "%\n%\r%=%A="}),
    ],
)
def test_decoded(body: bytes, fields: dict[str, str]) -> None:
    assert parse_form(body) == fields


def test_values_can_be_told_from_json_strings() -> None:
    assert {type(value) for value in parse_form(b"a=15&b=true").values()} == {FormText}


@given(st.dictionaries(st.text(min_size=1, max_size=80), st.text()))
def test_what_was_encoded_is_decoded(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()) == fields


@pytest.mark.parametrize("offset", range(-4, 5))
def test_escapes_at_the_end_of_a_chunk(offset: int) -> None:
    text = "A" * (_CHUNK_BYTES + offset) + "发+%" * 3
    assert parse_form(urlencode({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize("tail", ["%", "%%", "%4", "%%%", "%zz"])
def test_stray_percent_signs_at_the_end_of_a_chunk(tail: str) -> None:
    for length in range(_CHUNK_BYTES - 4, _CHUNK_BYTES + 1):
        text = "A" * length + tail
        assert parse_form(b"a=" + text.encode()) == {"a": text}


@pytest.mark.parametrize("body", [b"a=1&a=1", b"a=1&b=2&%61=3", b"a&a"])
def test_repeated_name(body: bytes) -> None:
    with pytest.raises(DuplicateName) as caught:
        parse_form(body)
    assert caught.value.name == "a"


@pytest.mark.parametrize("body", [b"a=1&b=%ff", b"a=1&%c3=2", b"a=1&b=\xff", b"a=1&b=%ed%a0%80"])
def test_not_utf_8(body: bytes) -> None:
    with pytest.raises(FormRejected, match=r"^field 2 of the form is not UTF-8$") as caught:
        parse_form(body)
    assert caught.value.position == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a=1&" + b"%41" * 342 + b"=2", "has a name of more than 1024 bytes"),
        (b"a=1&b=" + b"%" * 1001, "has too many percent signs that are no escapes"),
        (b"a=" + b"%41%" * 500 + b"&b=" + b"%4z" * 501, "has too many percent signs that are no escapes"),
    ],
)
def test_what_costs_too_much_to_decode(body: bytes, reason: str) -> None:
    with pytest.raises(FormRejected, match=f"^field 2 of the form {reason}$"):
        parse_form(body)


def test_too_many_fields() -> None:
    with pytest.raises(TooManyValues) as caught:
        parse_form(b"&" * 5_000_000)
    assert caught.value.limit == MAX_VALUES


@pytest.mark.parametrize("part", [b"%41", b"A", b"+"])
def test_a_large_form_takes_twice_its_size(part: bytes) -> None:
    count = 4 * 2**20 // len(part)
    body = b"a=" + part * count
    file = io.BytesIO(body + b"&")
    tracemalloc.start()
    try:
        text = parse_form(file.read(len(body)))["a"]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert text == unquote_plus(part.decode()) * count
    assert peak_bytes < 2.3 * len(body)
