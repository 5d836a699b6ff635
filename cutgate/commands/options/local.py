"""Options that several commands have, and the kinds of values that ours take."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from cutgate.local.data_folder import default_data_dir
from cutgate.protocol.picpik import clipped_box, whole_strokes

DEFAULT_PORT: Final = 8080


class Box(click.ParamType[tuple[int, int, int, int]]):
    """Four whole numbers with commas between them."""

    name = "x1,y1,x2,y2"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Read the text of the option."""
        try:
            left, top, right, bottom = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not four whole numbers with commas between them", param, ctx)
        try:
            return clipped_box((left, top, right, bottom))
        except ValueError as error:
            self.fail(str(error).removeprefix("box: "), param, ctx)


class Stroke(click.ParamType[list[tuple[float, float]]]):
    """Points with blanks between them; one is a click."""

    name = "'x,y x,y ...'"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[tuple[float, float]]:
        """Read the text of the option."""
        try:
            points = [(float(x), float(y)) for x, y in (point.split(",") for point in str(value).split())]
            whole_strokes("", [points])
        except ValueError:
            self.fail(f"{value!r} is no stroke: give points in pixels, such as '120,80 140,95'", param, ctx)
        return points


class Checked(click.ParamType[str]):
    """Text that is read to check it. Without the libraries for that, the command that needs it ends anyway."""

    def __init__(self, form: str, read: Callable[[str], object]) -> None:
        self.name, self._read = form, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text of the option."""
        try:
            with suppress(ImportError):
                self._read(str(value))
        except ValueError as error:
            named = "" if param is None else f"{param.name}: "
            self.fail(str(error).removeprefix(named), param, ctx)
        return str(value)


def composing(part: str, form: str) -> Checked:
    """The text of a part of a composition."""

    def read(text: str) -> None:
        from cutgate.jobs.composition import composition_of

        given: dict[str, Any] = {part: text}
        composition_of(**given)

    return Checked(form, read)


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data_dir,
    show_default="$XDG_DATA_HOME/cutgate or ~/.local/share/cutgate",
    help="Folder of the stack's data.",
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
host_option = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
