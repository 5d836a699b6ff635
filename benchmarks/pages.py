"""Tables as Markdown, which reads well in a terminal too, and the parts of a page that a program writes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import Absent
from cutgate.files import write_whole

WIDEST: Final = 64
"""Characters of a column."""


class NoSuchPart(ValueError):
    """A page lacks the markers of a part."""

    def __init__(self, page: Path, part: str) -> None:
        super().__init__(f"{page} has no lines `{_opening(part)}` and `{_closing(part)}`")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns in line, the first to the left and the others to the right.

    A cell longer than `WIDEST` sticks out instead of widening its column.
    """
    columns = zip(heads, *rows, strict=True)
    widths = [max(3, *(len(cell) for cell in column if len(cell) <= WIDEST)) for column in columns]
    rule = [("-" * width if place == 0 else "-" * (width - 1) + ":") for place, width in enumerate(widths)]
    lines = [
        [
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in (heads, rule, *rows)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_part(page: Path, part: str, text: str) -> None:
    """Replace what stands between a part's two markers; all else of the page stays.

    Raises:
        NoSuchPart: the markers are not there, each once and in order.
        OSError: the page cannot be read or written.
    """
    before, after = _around(page, part)
    write_whole(page, f"{before}\n\n{text.strip()}\n\n{after}".encode())


def require_parts(page: Path, parts: Iterable[str]) -> None:
    """Make sure, before a long run, that its end has a place to be written to."""
    try:
        for part in parts:
            _around(page, part)
    except (NoSuchPart, OSError) as error:
        raise Absent(str(error)) from None


def _around(page: Path, part: str) -> tuple[str, str]:
    """The page up to a part's opening, and from its closing on."""
    text = page.read_text(encoding="utf-8")
    before, opening, rest = text.partition(_opening(part))
    _, closing, after = rest.partition(_closing(part))
    if not opening or not closing:
        raise NoSuchPart(page, part)
    return before + opening, closing + after


def _opening(part: str) -> str:
    return f"<!-- {part}: written by a program -->"


def _closing(part: str) -> str:
    return f"<!-- end of {part} -->"
