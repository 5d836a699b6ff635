"""Helpers shared by the commands of every part."""

from typing import TypeVar

import click
from pydantic_settings import BaseSettings

from cutgate.jobs.settings import WrongSettings, load_settings

S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S]) -> S:
    """The settings of the environment.

    Args:
        kind: whose settings.

    Raises:
        ClickException: some are wrong; it names every one.
    """
    try:
        return load_settings(kind)
    except WrongSettings as error:
        raise click.ClickException(f"wrong settings\n{error}") from None
