"""How the memory ledger keeps its records: as the bytes that a server would get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeAlias

Fields: TypeAlias = dict[str, str]


class Records:
    """Hashes of text under a name, kept as encoded bytes."""

    def __init__(self) -> None:
        self._encoded: dict[str, bytes] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._encoded

    def __iter__(self) -> Iterator[str]:
        """The names, in the order in which they were first written."""
        return iter(self._encoded)

    def read(self, name: str) -> Fields:
        """All fields; none where nothing was written."""
        fields: Fields = json.loads(self._encoded.get(name, b"{}"))
        return fields

    def update(self, name: str, **changes: str | int) -> None:
        """Set some fields and leave the others."""
        fields = self.read(name) | {field: str(value) for field, value in changes.items()}
        self._encoded[name] = json.dumps(fields).encode()

    def add(self, name: str, field: str, amount: int) -> int:
        """Add to a number, 0 where it was never written, and return the sum."""
        value = int(self.read(name).get(field, 0)) + amount
        self.update(name, **{field: value})
        return value

    def delete(self, name: str) -> None:
        """Take a whole hash away, if it is there."""
        self._encoded.pop(name, None)

    def remove(self, name: str, *fields: str) -> None:
        """Take some fields away, as far as they are there."""
        kept = {field: value for field, value in self.read(name).items() if field not in fields}
        self._encoded[name] = json.dumps(kept).encode()
