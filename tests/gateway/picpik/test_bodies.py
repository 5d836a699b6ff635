"""Bodies, held or left in a file: read alike, and at a cost that does not grow with their pictures."""

from __future__ import annotations

import base64
import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutgate.gateway.picpik.bodies import STORED_FROM_BYTES, Body, BodyLimits, StoredText, received
from cutgate.gateway.picpik.faults import BodyNotReadable, BodyTooLarge
from cutgate.gateway.pictures.base64 import decode_source
from cutgate.jobs.errors import SourceRejected, SourceTooLarge, SourceUnreadable
from cutgate.signing import JsonValue, LongText, SigningError, parse_body, sign_params, verify

LIMITS = BodyLimits(memory_bytes=10, held_bytes=3 * STORED_FROM_BYTES, long_fields=frozenset({"P", "Q"}))
LONG = base64.b64encode(os.urandom(STORED_FROM_BYTES)).decode()


def resolved(value: JsonValue) -> JsonValue:
    """A value with every long text read."""
    if isinstance(value, LongText):
        return "".join(value.chunks())
    if isinstance(value, list):
        return [resolved(element) for element in value]
    if isinstance(value, dict):
        return {name: resolved(member) for name, member in value.items()}
    return value


def read(text: str | bytes, limits: BodyLimits = LIMITS) -> tuple[Body, JsonValue]:
    """A body, and its parameters with every long text read."""
    sent = text.encode() if isinstance(text, str) else text
    with received(io.BytesIO(sent), limits, is_form=False) as body:
        return body, resolved(dict(body.params))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (f'{{"P":"{LONG}"}}', True),
        (f'{{"a":"\\"","P":"{LONG}","b":[1,"\\\\"]}}', True),
        (f' {{"Q" : ["x", "{LONG}" , "{LONG}"],"P.7":"{LONG}"}}', True),
        (f'\ufeff{{"P":"data:image\\/png;base64,{LONG.replace("/", chr(92) + "/")}"}}', True),
        (f'{{"P":"{LONG[:5000]}\\r\\n{LONG}\\t\\"\\\\"}}', True),
        (f'{{"other":"{LONG}","P":{{"deep":"{LONG}"}}}}', False),
        (f'{{"{LONG}":1}}', False),
        (f'{{"P":"\\u0041{LONG}","Q":["ü{LONG}"]}}', False),
        ('{"P":"short","padding":"0123456789"}', False),
    ],
)
def test_a_body_in_a_file_reads_as_a_held_one(text: str, *, stored: bool) -> None:
    body, params = read(text)
    assert params == parse_body(text)
    assert body.size_bytes == len(text.encode())
    assert ("StoredText" in repr(body.params)) == stored


@given(
    text=st.text(st.sampled_from('"\\/bnrtu0041 {}[],:'), max_size=40),
    place=st.integers(0, 40),
    picture=st.sampled_from([f'"P":"{LONG}"', f'"{LONG}"', f'"P":"{LONG}\\']),
)
def test_any_text_reads_alike_either_way(text: str, place: int, picture: str) -> None:
    whole = "{" + text[:place] + picture + text[place:] + "}"
    try:
        expected: JsonValue | type[Exception] = parse_body(whole)
    except SigningError as error:
        expected = type(error)
    try:
        found: JsonValue | type[Exception] = read(whole)[1]
    except SigningError as error:
        found = type(error)
    assert found == expected


def test_a_signature_covers_the_texts_in_the_file() -> None:
    params = {"Action": "A", "P": LONG, "Q": [LONG, "x"], "z": None}
    signature = sign_params(params, "key")
    with received(io.BytesIO(json.dumps(params).encode()), LIMITS, is_form=False) as body:
        assert isinstance(body.params["P"], StoredText)
        assert verify(body.params, signature, ["key"])
        assert not verify({**body.params, "P": "x"}, signature, ["key"])


def test_what_is_held_is_bounded() -> None:
    many = ",".join(f'"n{index}":"{LONG}"' for index in range(3))
    for text in (f"{{{many}}}", '{"P":"' + "ü" * LIMITS.held_bytes + '"}', "[" + "0" * LIMITS.held_bytes + "]"):
        with pytest.raises((BodyTooLarge, BodyNotReadable)):
            read(text)
    with pytest.raises(BodyTooLarge), received(io.BytesIO(b"a=" + b"1" * 200_000), LIMITS, is_form=True):
        pass


def test_a_large_form_is_held() -> None:
    with received(io.BytesIO(f"P={LONG}".encode()), LIMITS, is_form=True) as body:
        assert body.params["P"] == LONG.replace("+", " ")


def stored(text: str) -> bytes:
    """The picture of a text that lies in a file."""
    with received(io.BytesIO(json.dumps({"P": text}).encode()), LIMITS, is_form=False) as body:
        source = body.params["P"]
        assert isinstance(source, StoredText)
        return decode_source(source, 3 * 2**20)


DATA = os.urandom(2**20 + 1)
PLAIN = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.rstrip("="),
        f"data:image/png;base64,{PLAIN}",
        base64.urlsafe_b64encode(DATA).decode(),
        base64.encodebytes(DATA).decode(),
        f"  {PLAIN}\r\n",
    ],
)
def test_pictures_in_a_file_are_decoded_as_others(text: str) -> None:
    assert stored(text) == DATA == decode_source(text, len(DATA))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("=" + PLAIN, SourceUnreadable),
        (PLAIN[:-4] + "==" + PLAIN, SourceUnreadable),
        (PLAIN + "!", SourceUnreadable),
        ("https://" + PLAIN, SourceUnreadable),
        (base64.b64encode(bytes(4 * 2**20)).decode(), SourceTooLarge),
    ],
)
def test_what_is_no_picture_in_a_file_is_refused_as_others(text: str, error: type[SourceRejected]) -> None:
    for decode in (stored, lambda text: decode_source(text, 3 * 2**20)):
        with pytest.raises(error):
            decode(text)


@pytest.mark.parametrize("count", [1, 12])
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path, count: int) -> None:
    picture = base64.b64encode(bytes(6 * 2**20)).decode()
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"P": [picture] * count}))
    tracemalloc.start()
    try:
        with file.open("rb") as stream, received(stream, LIMITS, is_form=False) as body:
            assert not verify(body.params, "0" * 40, ["key"])
            sources = body.params["P"]
            assert isinstance(sources, list)
            for source in sources:
                assert isinstance(source, StoredText)
                decode_source(source, 6 * 2**20)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2.5 * 6 * 2**20
