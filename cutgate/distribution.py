"""The distribution by its name on the package index, and how its extras are installed."""

from typing import Final

NAME: Final = "cutgate"


def install(*extras: str) -> str:
    """The command that installs the distribution with these extras."""
    return f"pip install '{NAME}[{','.join(extras)}]'"
