"""The distribution's name, and the command that adds its extras where it is installed."""

from typing import Final

NAME: Final = "cutgate"


def install(*extras: str) -> str:
    """The command that adds extras; pip keeps the distribution that is installed and fetches what they need."""
    return f"pip install '{NAME}[{','.join(extras)}]'"
