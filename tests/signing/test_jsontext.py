"""The parser keeps number text and refuses what could be read in two ways, quickly whatever the size."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cutgate.signing import (
    BodyRejected,
    DuplicateName,
    LoneSurrogate,
    NonFiniteNumber,
    NotAnObject,
    NotJson,
    NumberOutOfBounds,
    NumberText,
    TooDeep,
    TooManyValues,
    parse_body,
    parse_value,
)
from cutgate.signing.jsontext import MAX_DEPTH, MAX_EXPONENT, MAX_NUMBER_CHARACTERS, MAX_VALUES


@contextmanager
def quickly(limit_seconds: float = 3) -> Iterator[None]:
    """Fail after ten times the processor time that a slow machine needs; a quadratic parser needs hours."""
    start = time.process_time()
    yield
    assert time.process_time() - start < limit_seconds


@pytest.mark.parametrize("text", ["0", "-0", "1.0", "1.50", "1e5", "1E+05", "1e-07", "12345678901234567890.5"])
def test_number_keeps_its_text(text: str) -> None:
    number = parse_body(f'{{"a": {text}}}')["a"]
    assert isinstance(number, NumberText)
    assert str(number) == text


def test_number_in_a_string_is_a_string_and_looks_like_one() -> None:
    assert repr(parse_body('{"a": [1.0, "15"]}')) == "{'a': [NumberText('1.0'), '15']}"


@pytest.mark.parametrize("text", ["", "abc", "01", "+1", "1.", ".5", "1e", "0x1", "1_0", " 1", "1\n", "١"])
def test_number_text_is_a_json_number(text: str) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        NumberText(text)


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"a": true}', '\ufeff{"a": true}', b' \r\n\t{"a": true}\n'])
def test_byte_order_mark_and_blanks_are_skipped(body: bytes | str) -> None:
    assert parse_body(body) == {"a": True}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": 1} x',
        b'{"a"}',
        b'{"a": "\n"}',
        b"a=1",
        b'{"a": +1}',
    ],
)
def test_not_json(body: bytes) -> None:
    with pytest.raises(NotJson, match=r"^the body is not JSON: .* \(position \d+\)$") as caught:
        parse_body(body)
    assert 0 <= caught.value.position <= len(body)
    assert caught.value.reason


@pytest.mark.parametrize("body", [b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', '{"a": 1}'.encode("utf-16")])
def test_not_utf_8(body: bytes) -> None:
    with pytest.raises(NotJson, match="not UTF-8"):
        parse_body(body)


@pytest.mark.parametrize("body", ["[]", '"a"', "1", "true", "null", '[{"a": 1}]'])
def test_not_an_object(body: str) -> None:
    with pytest.raises(NotAnObject, match=r"^the body is not a JSON object$"):
        parse_body(body)


@pytest.mark.parametrize("body", ['{"a":1,"a":1}', '{"b":{"c":[{"a":1,"d":2,"a":3}]}}', r'{"a":1,"\u0061":2}'])
def test_duplicate_name_at_any_depth(body: str) -> None:
    with pytest.raises(DuplicateName, match=r"^the name 'a' stands twice in one object$") as caught:
        parse_body(body)
    assert caught.value.name == "a"


@pytest.mark.parametrize("name", ["\ud800" * 1000, "行" * 1000, "\n" * 1000])
def test_message_of_a_hostile_name_is_short_and_ascii(name: str) -> None:
    error = DuplicateName(name)
    assert error.name == name
    assert str(error).isascii()
    assert str(error).isprintable()
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "body",
    [
        r'{"a": "\ud800"}',
        r'{"a": "\udc00\ud800"}',
        r'{"\ud800": 1}',
        r'{"a": [{"b": ["\udfff"]}]}',
        '{"a": "\ud800"}',
    ],
)
def test_lone_surrogate(body: str) -> None:
    with pytest.raises(LoneSurrogate, match=r"^a text holds a lone surrogate$"):
        parse_body(body)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_non_finite_number(text: str) -> None:
    with pytest.raises(NonFiniteNumber, match=rf"^{text} is not a JSON number$") as caught:
        parse_body(f'{{"a": [{text}]}}')
    assert caught.value.text == text


@pytest.mark.parametrize("exponent", [MAX_EXPONENT, -MAX_EXPONENT])
def test_exponent_up_to_the_bound(exponent: int) -> None:
    assert parse_body(f'{{"a": 1e{exponent}}}') == {"a": f"1e{exponent}"}
    for over in (f"1e{exponent}0", f"1e{exponent + (1 if exponent > 0 else -1)}", f"0E{exponent}9"):
        with pytest.raises(
            NumberOutOfBounds, match=r"^a number is over the limit: exponent at most 400$"
        ) as caught:
            parse_body(f'{{"a": {over}}}')
        assert (caught.value.measure, caught.value.limit) == ("exponent", MAX_EXPONENT)


def test_number_up_to_the_longest() -> None:
    longest = "1" * MAX_NUMBER_CHARACTERS
    assert parse_body(f'{{"a": {longest}}}') == {"a": longest}
    with pytest.raises(NumberOutOfBounds) as caught:
        parse_body(f'{{"a": {longest}1}}')
    assert (caught.value.measure, caught.value.limit) == ("characters", MAX_NUMBER_CHARACTERS)


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ('{"a":[', "]}")])
def test_depth_up_to_the_deepest(opening: str, closing: str) -> None:
    levels = MAX_DEPTH // (opening.count("{") + opening.count("["))
    parse_body(opening * levels + "1" + closing * levels)
    with pytest.raises(TooDeep, match=r"^the body is nested deeper than 32 levels$") as caught:
        parse_body(opening * (levels + 1) + "1" + closing * (levels + 1))
    assert caught.value.limit == MAX_DEPTH


@pytest.mark.parametrize("picture", ["", "A" * 100_000, "[" * 100_000, "," * 100_000])
def test_values_up_to_the_most(picture: str) -> None:
    # The object, its first member and the array count as well.
    elements = MAX_VALUES - 3
    parse_body(f'{{"p":"{picture}","a":[{"1," * (elements - 1)}1]}}')
    with pytest.raises(TooManyValues, match=rf"^the body holds more than {MAX_VALUES} values$") as caught:
        parse_body(f'{{"p":"{picture}","a":[{"1," * elements}1]}}')
    assert caught.value.limit == MAX_VALUES


@pytest.mark.parametrize("picture", ["", "A" * 100_000, "[" * 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_beside_a_picture(opening: str, picture: str) -> None:
    deepest = opening * (MAX_DEPTH - 1) + "1" + ("]" if opening == "[" else "}") * (MAX_DEPTH - 1)
    parse_body(f'{{"p":"{picture}","a":{deepest}}}')
    with pytest.raises(TooDeep):
        parse_body(f'{{"p":"{picture}","a":[{deepest}]}}')


@pytest.mark.parametrize(("text", "value"), [("[]", []), ('"a"', "a"), ("1.0", NumberText("1.0")), ("null", None)])
def test_any_value_is_read_in_the_way_of_a_body(text: str, value: object) -> None:
    assert parse_value(text) == value
    for broken in (f"{text}]", f'[{text},{{"a":1,"a":1}}]', f"{'[' * MAX_DEPTH}[{text}]{']' * MAX_DEPTH}"):
        with pytest.raises(BodyRejected):
            parse_value(broken)


HOSTILE: dict[str, tuple[bytes, type[BodyRejected]]] = {
    "nested arrays": (b"[" * 100_000, TooDeep),
    "nested objects": (b'{"a":' * 100_000, TooDeep),
    "closing brackets": (b"]" * 5_000_000, NotJson),
    "huge exponent": (b'{"a":1e999999999}', NumberOutOfBounds),
    "tiny exponent": (b'{"a":1e-999999999}', NumberOutOfBounds),
    "long exponent": (b'{"a":1e' + b"9" * 5_000_000 + b"}", NumberOutOfBounds),
    "many digits": (b'{"a":' + b"1" * 5_000_000 + b"}", NumberOutOfBounds),
    "long fraction": (b'{"a":0.' + b"1" * 5_000_000 + b"}", NumberOutOfBounds),
    "many values": (b'{"a":[' + b"[]," * 2_000_000 + b"[]]}", TooManyValues),
    "string without an end": (b'{"a":"' + b'\\"' * 5_000_000, NotJson),
    "many quotes": (b'"' * 5_000_001, NotJson),
    "many strings": (b'{"a":' + b'"b"' * 2_000_000 + b"}", NotJson),
    "brackets after the end": (b"{}" + b"]" * 5_000_000, NotJson),
    "many blanks": (b" " * 5_000_000, NotJson),
}


@pytest.mark.parametrize(("body", "error"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_body_is_refused_quickly(body: bytes, error: type[BodyRejected]) -> None:
    with quickly(), pytest.raises(error):
        parse_body(body)


@pytest.mark.parametrize("character", ["A", "\n", "发"], ids=["base64", "escapes", "wide"])
def test_long_text_is_read_quickly(character: str) -> None:
    text = character * 10_000_000
    body = json.dumps({"RawImage": text}, ensure_ascii=False).encode()
    with quickly():
        assert parse_body(body) == {"RawImage": text}
