"""Which parts of which pages a program writes, and how."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.pages import write_part
from docs.manual import command_line, picpik, runware
from docs.manual.settings import GROUPS, settings_list

DOCS: Final = Path(__file__).parents[1]

PARTS: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "command-line.md": {part: partial(str, text) for part, text in command_line.lists().items()},
    "settings.md": {f"settings, {group}": partial(settings_list, group) for group in GROUPS},
    "reference-picpik.md": {
        "actions": picpik.actions,
        "errors": picpik.errors,
        "task errors": picpik.task_errors,
    },
    "reference-runware.md": {
        "removal": runware.removal,
        "removal settings": runware.settings,
        "companions": runware.companions,
        "errors": runware.errors,
        "task errors": runware.task_errors,
    },
}
"""By page and by the name that stands in a part's markers."""


def write(folder: Path = DOCS) -> None:
    """Write every part anew; all else of the pages stays."""
    for page, parts in PARTS.items():
        for part, make in parts.items():
            write_part(folder / page, part, make())
