"""Sound inputs made unsound: bytes changed, cut, doubled, or taken from another input."""

import json
import random
from collections.abc import Sequence
from typing import Any, Final

EXTREMES: Final = (
    *(0, 1, 2, 3, 4, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 12_000, 50_000_000),
)
"""Numbers at which programs go wrong, and the service's own limits."""
_SPLICE_BYTES: Final = 64


def damaged(data: bytes, others: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> bytes:
    """One to ten changes of a sound input, most of them near its beginning, where formats say what they are."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 10))):
        reach = min(len(changed), chance.choice((40, 120, 600, len(changed) or 1)))
        _change(changed, chance.randrange(reach + 1), others, words, chance)
    return bytes(changed)


def _change(
    data: bytearray, at: int, others: Sequence[bytes], words: Sequence[bytes], chance: random.Random
) -> None:
    kind = chance.randrange(8)
    if kind == 0:
        data[at : at + 1] = bytes([chance.choice((0, 255, chance.randrange(256)))])
    elif kind == 1:
        size = chance.choice((2, 4))
        number = chance.choice(EXTREMES) % 256**size
        data[at : at + size] = number.to_bytes(size, chance.choice(("big", "little")))
    elif kind == 2:
        del data[at : at + chance.choice((1, 2, 4, 16, 100))]
    elif kind == 3:
        data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 16)))
    elif kind == 4:
        data[at:at] = data[at : at + chance.choice((4, 16, 64, 300))] * chance.choice((1, 2, 50))
    elif kind == 5 and chance.random() < 0.5:
        del data[at:]
    elif kind == 6 and words:
        data[at:at] = chance.choice(words)
    else:
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        data[at : at + _SPLICE_BYTES] = other[start : start + _SPLICE_BYTES]


def any_json(chance: random.Random, names: Sequence[str], depth: int = 3) -> Any:
    """A JSON value: mostly what some field takes somewhere, at a place where it need not belong."""
    kind = chance.randrange(8 if depth else 6)
    if kind == 6:
        return [any_json(chance, names, depth - 1) for _ in range(chance.randrange(5))]
    if kind == 7:
        return {chance.choice(names): any_json(chance, names, depth - 1) for _ in range(chance.randrange(4))}
    return (
        chance.choice((None, True, False)),
        chance.choice((-1, 1)) * chance.choice(EXTREMES),
        chance.choice((0.0, -0.0, 1e308, 5e-324, 0.1, 1e21, float(2**53))),
        chance.choice(names),
        "".join(chr(chance.choice(_CHARACTERS)) for _ in range(chance.randrange(12))),
        "A" * chance.choice((0, 1, 4, 127, 128, 129, 2_048, 2_049, 4_096)),
    )[kind]


_CHARACTERS: Final = (0, 9, 10, 27, 34, 39, 47, 92, 127, 128, 0x2028, 0xFEFF, 0xFFFD, 0x1F600, *range(48, 58))


def json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()
