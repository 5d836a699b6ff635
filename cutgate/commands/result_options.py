"""The options that say how results are made; `cut` and `watch` have the same."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from cutgate.batches.batch import AT_ONCE, Making
from cutgate.commands.options import Box, Colour, existing_file
from cutgate.local.finishing import SUFFIXES, Finisher, FinishOptions
from cutgate.protocol.conversation import WAIT_SECONDS
from cutgate.protocol.picpik import FIELDS, Settings

Command = TypeVar("Command", bound=Callable[..., None])


def _number(name: str, *, most: int, default: int, text: str) -> Callable[[Command], Command]:
    """An option for a whole number from 0 on."""
    return click.option(name, type=click.IntRange(0, most), default=default, show_default=True, help=text)


OPTIONS = (
    click.option("--mask", "only_mask", is_flag=True, help="Write the alpha matte as a grey picture."),
    click.option("--box", type=Box(), help="Keep only the subject in this box, in pixels of the upright picture."),
    _number("--erode-size", most=40, default=15, text="Width of the soft edge in pixels."),
    _number(
        "--foreground-threshold",
        most=255,
        default=240,
        text="Mask level above which a pixel is certain foreground.",
    ),
    _number(
        "--background-threshold",
        most=255,
        default=15,
        text="Mask level below which a pixel is certain background.",
    ),
    click.option(
        "--hair-optimization",
        "--hair",
        type=click.Choice(["auto", "on", "off"]),
        default="auto",
        show_default=True,
        help="Refinement of fine structure.",
    ),
    click.option(
        "--format",
        "file_format",
        type=click.Choice(list(SUFFIXES)),
        default="png",
        show_default=True,
        help="What to write; zip has colours and alpha apart. This and the next four need Cutgate's worker here.",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), help="Of webp, which is lossless without it, jpeg and zip."
    ),
    click.option("--background", type=Colour(), help="Colour behind the subject."),
    click.option("--background-image", type=existing_file, help="Picture behind the subject, scaled to cover."),
    click.option(
        "--crop-margin", type=click.IntRange(min=0), help="Cut down to the subject and so many pixels around."
    ),
    click.option(
        "--at-once",
        type=click.IntRange(1, 64),
        default=AT_ONCE,
        show_default=True,
        help="Pictures on their way at a time.",
    ),
    click.option("--timeout", default=WAIT_SECONDS, show_default=True, help="Seconds to wait for one picture."),
)


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """What the caller wants of results."""

    settings: Settings
    finish: FinishOptions
    timeout_seconds: float
    at_once: int

    @contextmanager
    def making(self) -> Iterator[Making]:
        """How to make them, as long as the block lasts: as delivered, or by this machine's worker.

        Raises:
            PartsMissing: the libraries of the worker are not installed.
        """
        suffix, wait_seconds = SUFFIXES[self.finish.file_format][0], self.timeout_seconds
        if not self.finish.any:
            yield Making(settings=self.settings, suffix=suffix, timeout_seconds=wait_seconds)
            return
        with Finisher(self.finish) as finisher:
            yield Making(
                settings=self.settings,
                suffix=suffix,
                convert=finisher.convert,
                variant=" ".join(self.finish.arguments()),
                timeout_seconds=wait_seconds,
            )


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command takes them as `results`."""

    @functools.wraps(command)
    def collect(
        *,
        file_format: str,
        quality: int | None,
        background: str | None,
        background_image: Path | None,
        crop_margin: int | None,
        timeout: float,
        at_once: int,
        **others: Any,
    ) -> None:
        named = {name: others.pop(name) for name in FIELDS}
        settings = cast("Settings", {name: value for name, value in named.items() if value is not None})
        finish = FinishOptions(
            file_format=file_format,
            quality=quality,
            background=background,
            background_image=background_image,
            crop_margin=crop_margin,
        )
        try:
            finish.check(only_mask=named["only_mask"])
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        command(results=ResultOptions(settings, finish, timeout, at_once), **others)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), collect)
