"""Which errors a table speaks of."""

from collections.abc import Iterable
from typing import TypeVar

E = TypeVar("E", bound=Exception)


def leaves(errors: Iterable[type[E]]) -> list[type[E]]:
    """Those of which none of the others is a kind: what is raised, not what it is caught by."""
    given = list(errors)
    return [kind for kind in given if not any(other is not kind and issubclass(other, kind) for other in given)]
