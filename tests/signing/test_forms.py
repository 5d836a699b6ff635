"""Tests of form bodies: decoded as they were signed, and flattened names are arrays again, or a clear error."""

import io
import tracemalloc
from urllib.parse import unquote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.signing import (
    DuplicateName,
    FlattenedNamesRejected,
    FormRejected,
    FormText,
    JsonValue,
    NumberText,
    TooManyValues,
    parse_body,
    parse_form,
    sign,
    take_signature,
    unflatten,
    verify,
)
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


# Flattened names.

ARRAYS = {"Box", "RawImages"}


@pytest.mark.parametrize(
    ("flat", "rebuilt"),
    [
        ('{"Box.0":1,"Box.1":2}', '{"Box":[1,2]}'),
        ('{"Box.1":1,"Box.2":2}', '{"Box":[1,2]}'),
        ('{"Box.1":1,"A":true,"Box.0":0}', '{"A":true,"Box":[0,1]}'),
        ('{"Box.1":1}', '{"Box":[1]}'),
        ('{"Box.0":[1,2]}', '{"Box":[[1,2]]}'),
        ('{"Box.0":null,"RawImages.1":"x"}', '{"Box":[null],"RawImages":["x"]}'),
        ('{"Box":[1,2],"Size.0":1,"Size":2}', '{"Box":[1,2],"Size.0":1,"Size":2}'),
        ('{"Boxes.0":1,"box.0":1,".0":1}', '{"Boxes.0":1,"box.0":1,".0":1}'),
        ("{}", "{}"),
    ],
)
def test_rebuilt(flat: str, rebuilt: str) -> None:
    assert unflatten(parse_body(flat), ARRAYS) == parse_body(rebuilt)


def test_elements_are_ordered_by_number() -> None:
    names = [f"Box.{index}" for index in range(12)]
    flat: dict[str, JsonValue] = {name: name for name in sorted(names)}
    assert unflatten(flat, ARRAYS) == {"Box": names}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Box.0", "Box.2"], "gap"),
        (["Box.2", "Box.3"], "gap"),
        (["Box.0", "Box.999999999"], "gap"),
        (["Box.00"], "leading zeros"),
        (["Box.0", "Box.01"], "leading zeros"),
        (["Box.-1"], "leading zeros"),
        (["Box.+1"], "leading zeros"),
        (["Box.1.0"], "leading zeros"),
        (["Box."], "leading zeros"),
        (["Box.x"], "leading zeros"),
        (["Box.١"], "leading zeros"),
        (["Box.0\n"], "leading zeros"),
        (["Box." + "9" * 5_000], "leading zeros"),
        (["Box", "Box.0"], "as a whole too"),
        (["Box.0", "Box"], "as a whole too"),
    ],
)
def test_refused(names: list[str], reason: str) -> None:
    with pytest.raises(
        FlattenedNamesRejected, match=f"^the elements of 'Box' do not make an array: .*{reason}"
    ) as caught:
        unflatten(dict.fromkeys(names), ARRAYS)
    assert caught.value.name == "Box"


def test_types_are_kept() -> None:
    json_box = unflatten(parse_body('{"Box.0":1,"Box.1":"1"}'), ARRAYS)["Box"]
    assert isinstance(json_box, list)
    assert [type(element) for element in json_box] == [NumberText, str]
    form_box = unflatten(parse_form(b"Box.0=1"), ARRAYS)["Box"]
    assert isinstance(form_box, list)
    assert type(form_box[0]) is FormText


def test_signature_covers_the_names_as_received() -> None:
    signature = sign("ActionRemoveBackgroundBox.01Box.13Box.1012", "123456")
    body = f"Box.0=1&Box.1=3&Box.10=12&Action=RemoveBackground&Signature={signature}"
    rest, presented = take_signature(parse_form(body.encode()))
    assert presented == signature
    assert verify(rest, presented, ["123456"])
