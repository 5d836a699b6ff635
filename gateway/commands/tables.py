"""Tables of the operators' commands; programs ask for JSON or CSV."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LONGEST_LINE: Final = 1_000
"""Off a terminal, in characters."""

Cell = str | int | None


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], total: Sequence[Cell] = ()
) -> None:
    """Print rows below their columns' names; a terminal's width folds them, and nothing else does."""
    console = Console()
    if not console.is_terminal:
        console.width = LONGEST_LINE
    cells = [*rows, *([total] if total else [])]
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(columns):
        right = any(isinstance(row[number], int) for row in cells)
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for position, row in enumerate(cells):
        is_last_of_many = bool(total) and position == len(cells) - 2
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row), end_section=is_last_of_many)
    console.print(Text(title, style="bold"), table, sep="\n")
