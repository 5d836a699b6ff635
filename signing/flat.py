"""Arrays that came as several members: `Box.0`, `Box.1`, … are `Box` again.

The signature covers the names as received, so verify first and rebuild then.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from cutgate.signing.errors import FlattenedNamesRejected
from cutgate.signing.jsontext import JsonValue

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


def unflatten(params: Mapping[str, JsonValue], array_fields: Collection[str]) -> dict[str, JsonValue]:
    """Rebuild the arrays among the parameters.

    Args:
        params: the verified parameters.
        array_fields: names of the fields that are arrays; other names with a dot stay as they are.

    Returns:
        The parameters, in which the members `Name.K` of each array field have become one list.

    Raises:
        FlattenedNamesRejected: an index is not a plain number, the indices are neither 0..n-1 nor 1..n, or the
            field is there as a whole too.
    """
    whole: dict[str, JsonValue] = {}
    elements: dict[str, dict[int, JsonValue]] = {}
    for name, value in params.items():
        field, dot, index = name.partition(".")
        if dot and field in array_fields:
            elements.setdefault(field, {})[_parse_index(field, index)] = value
        else:
            whole[name] = value
    for field, by_index in elements.items():
        if field in whole:
            raise FlattenedNamesRejected(field, "the field is there as a whole too")
        whole[field] = _in_order(field, by_index)
    return whole


def _parse_index(field: str, index: str) -> int:
    if not _INDEX.fullmatch(index):
        raise FlattenedNamesRejected(field, "an index is not a number without leading zeros")
    return int(index)


def _in_order(field: str, by_index: dict[int, JsonValue]) -> list[JsonValue]:
    first, last = min(by_index), max(by_index)
    # Clients count from 0; some older ones from 1.
    if first > 1 or last - first + 1 != len(by_index):
        raise FlattenedNamesRejected(field, "the indices have a gap")
    return [by_index[index] for index in range(first, last + 1)]
