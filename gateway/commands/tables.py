"""Tables of the operators' commands; programs ask for JSON or CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LONGEST_LINE: Final = 1_000
"""Off a terminal, in characters."""

Cell = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Cells by column; a dash stands for None."""

    columns: Sequence[str]
    cells: Iterable[Sequence[Cell]]
    total: Sequence[Cell] = field(default=())
    """What stands below them."""


def show_table(rows: Rows, title: str) -> None:
    """Print rows below their columns' names; a terminal's width folds them, and nothing else does."""
    console = Console()
    if not console.is_terminal:
        console.width = LONGEST_LINE
    console.print(Text(title, style="bold"), _table(rows), sep="\n")


def _table(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    cells = [*rows.cells, *([rows.total] if rows.total else [])]
    for number, name in enumerate(rows.columns):
        right = any(isinstance(row[number], int) for row in cells)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for position, row in enumerate(cells):
        below = bool(rows.total) and position == len(cells) - 2
        table.add_row(*(Text(_text(cell)) for cell in row), end_section=below)
    return table


def _text(cell: Cell) -> str:
    return "-" if cell is None else str(cell)
