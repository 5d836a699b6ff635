"""Tables and texts as Markdown."""

import inspect
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells stand in one line each, and bars in them stay bars."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_in_a_cell, cells))} |" for cells in lines)


def items(rows: Iterable[tuple[str, str]]) -> str:
    """A list of things and what there is to say of each: where a table would leave that off a phone's screen."""
    return "\n".join(f"- {thing}: {text}" for thing, text in rows)


def alike(rows: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Rows of a table, those that differ in their first cell alone as one that names them all."""
    named: dict[tuple[str, ...], list[str]] = {}
    for name, *rest in rows:
        named.setdefault(tuple(rest), []).append(name)
    return [(", ".join(names), *rest) for rest, names in named.items()]


def code(text: object) -> str:
    """Something to be typed or read as it stands."""
    return f"`{text}`"


def one_line(text: str | None) -> str:
    """A text without the line breaks that its source has; empty where there is none."""
    return " ".join((text or "").split())


def summary(thing: object) -> str:
    """The first paragraph of a docstring."""
    return one_line((inspect.getdoc(thing) or "").partition("\n\n")[0])


def summaries(things: Iterable[object]) -> str:
    """The first paragraphs of several docstrings, each once."""
    return " ".join(dict.fromkeys(map(summary, things)))


def _in_a_cell(text: str) -> str:
    return text.replace("|", r"\|")
