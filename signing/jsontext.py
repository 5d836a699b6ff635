"""JSON in which numbers keep their text and nothing is read in two ways.

The signature covers the characters of a number, so `1.0`, `1e0` and `1` must stay apart. The body is read before
anybody is known to have signed it; each limit below bounds the time and memory that a stranger can ask for.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NoReturn, Self, TypeAlias

from cutgate.signing.errors import (
    DuplicateName,
    LoneSurrogate,
    NonFiniteNumber,
    NotAnObject,
    NotJson,
    NumberOutOfBounds,
    TooDeep,
    TooManyValues,
)

MAX_NUMBER_CHARACTERS: Final = 400
"""A double in plain notation has at most 343 characters when it is printed with its shortest digits."""

MAX_EXPONENT: Final = 400
"""A double's is between -324 and 308. With both bounds plain notation has at most 800 characters or so."""

MAX_DEPTH: Final = 32
"""Levels of arrays and objects, the body itself being the first; the protocol's own requests have two."""

MAX_VALUES: Final = 10_000
"""Members and elements at all depths together; a verification writes each of them once for every form."""

_LONG_CHARACTERS: Final = 2**16
"""A longer text is mostly a picture."""
_MANY: Final = 32
"""More brackets or commas than a request with one picture has."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Up to the next bracket or comma outside of strings, or to the end. Possessive, with an optional closing quote,
# and matching whatever comes: no hostile text makes it try anything twice.
_STRUCTURE: Final = re.compile(
    r"""(?: [^\[\]{},"]++ | "[^"\\]*+(?:\\.[^"\\]*+)*+"?+ )*+ (?: ([\[{]) | ([\]}]) | (,) | \Z )""",
    re.DOTALL | re.VERBOSE,
)
_OPENING, _CLOSING = 1, 2


JsonValue: TypeAlias = "str | bool | list[JsonValue] | dict[str, JsonValue] | None"
"""A value as `parse_body` gives it, where every number is a `NumberText`."""


class NumberText(str):
    """A JSON number that keeps its characters.

    It is a `str`, so test for `NumberText` before `str`.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Hold a number, so short that it can be written in plain notation.

        Raises:
            NumberOutOfBounds: it is longer than `MAX_NUMBER_CHARACTERS`, or its exponent is beyond `MAX_EXPONENT`.
            ValueError: it is not a JSON number.
        """
        if len(text) > MAX_NUMBER_CHARACTERS:
            raise NumberOutOfBounds("characters", MAX_NUMBER_CHARACTERS)
        number = _NUMBER.fullmatch(text)
        if number is None:
            raise ValueError("not a JSON number")
        if abs(int(number[1] or 0)) > MAX_EXPONENT:
            raise NumberOutOfBounds("exponent", MAX_EXPONENT)
        return super().__new__(cls, text)

    def __repr__(self) -> str:
        return f"NumberText({super().__repr__()})"


def parse_body(body: bytes | str) -> dict[str, JsonValue]:
    """Read a request's body.

    Args:
        body: one JSON object, UTF-8 if it is bytes; a byte order mark in front of it is skipped.

    Returns:
        The members, every number at every depth as a `NumberText`.

    Raises:
        BodyRejected: one of its subclasses says why the body cannot be read.
    """
    text = _decoded(body)
    del body  # of a large body there are two copies at a time, not three
    params = parse_value(text)
    if not isinstance(params, dict):
        raise NotAnObject
    return params


def parse_value(text: str) -> JsonValue:
    """Read any JSON value in the way of `parse_body`, with the same limits.

    Raises:
        BodyRejected: one of its subclasses says why the body cannot be read.
    """
    _check_structure(text)
    try:
        value: JsonValue = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    _refuse_lone_surrogates(value)
    return value


def dump_body(params: dict[str, JsonValue]) -> str:
    """Write parameters as compact JSON, each `NumberText` as it stands: the inverse of `parse_body`."""
    return "".join(_json_pieces(params))


def _decoded(body: bytes | str) -> str:
    if isinstance(body, str):
        return body.removeprefix("\ufeff")
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NotJson(f"bytes that are not UTF-8, {error.reason}", error.start) from None


def _check_structure(text: str) -> None:
    """Bound depth and number of values before the decoder recurses or allocates."""
    # Counted with those in strings they are bounds already, and found many times as fast as the tokens below.
    brackets = _count(text, "[", MAX_DEPTH + 1) + _count(text, "{", MAX_DEPTH + 1)
    if brackets <= MAX_DEPTH and brackets + _count(text, ",", MAX_VALUES) < MAX_VALUES:
        return
    depth, values = 0, 1
    for token in _STRUCTURE.finditer(text):
        kind = token.lastindex
        if kind is None or depth < 0:
            return  # The end, or a bracket too many, at which the decoder will stop.
        if kind == _CLOSING:
            depth -= 1
            continue
        values += 1
        depth += kind == _OPENING
        if depth > MAX_DEPTH:
            raise TooDeep(MAX_DEPTH)
        if values > MAX_VALUES:
            raise TooManyValues(MAX_VALUES)


def _count(text: str, character: str, most: int) -> int:
    """How often a character occurs; more than `most` counts as that many."""
    # A search goes through a picture thirty times as fast as a count does, but is slower where it finds many.
    count, position = 0, text.find(character)
    while position >= 0 and count < most:
        if count == _MANY and len(text) < _LONG_CHARACTERS:
            return count + text.count(character, position)
        count += 1
        position = text.find(character, position + 1)
    return count


def _without_duplicates(members: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    unique = dict(members)
    if len(unique) != len(members):
        [(name, _)] = Counter(name for name, _ in members).most_common(1)
        raise DuplicateName(name)
    return unique


def _refuse_non_finite(text: str) -> NoReturn:
    raise NonFiniteNumber(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_without_duplicates,
    parse_float=NumberText,
    parse_int=NumberText,
    parse_constant=_refuse_non_finite,
)


def _refuse_lone_surrogates(value: JsonValue) -> None:
    if isinstance(value, str):
        # isascii reads a flag, so a picture in Base64 costs nothing.
        if not value.isascii() and _SURROGATE.search(value):
            raise LoneSurrogate
    elif isinstance(value, list):
        for element in value:
            _refuse_lone_surrogates(element)
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_lone_surrogates(name)
            _refuse_lone_surrogates(member)


def _json_pieces(value: JsonValue) -> Iterator[str]:
    if isinstance(value, NumberText):
        yield value
    elif isinstance(value, list):
        yield "["
        for index, element in enumerate(value):
            yield "," if index else ""
            yield from _json_pieces(element)
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for index, (name, member) in enumerate(value.items()):
            yield f"{',' if index else ''}{json.dumps(name, ensure_ascii=False)}:"
            yield from _json_pieces(member)
        yield "}"
    else:
        yield json.dumps(value, ensure_ascii=False)
