"""The options that say how results are made; `cut` and `watch` have the same."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import click

from cutgate.batches.batch import AT_ONCE, Making
from cutgate.commands.options.finish import FinishOptions
from cutgate.commands.options.local import Box, Colour, Composing, existing_file
from cutgate.errors import WrongSuffix
from cutgate.formats import SUFFIXES, format_for
from cutgate.in_process.options import CutoutOptions
from cutgate.local.parts import require_parts
from cutgate.protocol.conversation import WAIT_SECONDS
from cutgate.protocol.picpik import FIELDS, MOST_ERODE_PX, Settings

Command = TypeVar("Command", bound=Callable[..., None])


def _number(name: str, *, most: int, default: int, text: str) -> Callable[[Command], Command]:
    """An option for a whole number from 0 on. Its default is only shown: what is not asked for is not sent."""
    return click.option(name, type=click.IntRange(0, most), metavar="N", show_default=str(default), help=text)


OPTIONS = (
    click.option("--mask", "only_mask", is_flag=True, help="Write the alpha matte as a grey picture."),
    click.option("--box", type=Box(), help="Keep only the subject in this box, in pixels of the upright picture."),
    _number("--erode-size", most=MOST_ERODE_PX, default=15, text="Width of the soft edge in pixels."),
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
        help="Default: the suffix of --output, else png; a zip has colours and alpha apart. All options down to"
        " --opaque-inside need the extra worker.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="N",
        help="For jpeg, zip and webp, which is lossless without it.",
    ),
    click.option("--background", type=Colour(), help="Colour behind the subject."),
    click.option("--background-image", type=existing_file, help="Picture behind the subject, scaled to cover."),
    click.option(
        "--crop-margin",
        type=Composing("crop_margin", "lengths"),
        help="Crop to the subject with margins: one, two or four of 10px or 5%, clockwise from the top.",
    ),
    click.option(
        "--scale",
        type=Composing("scale", "percentage"),
        help="Size of the subject as a share of the frame, such as 80%.",
    ),
    click.option(
        "--position",
        type=Composing("position", "place"),
        help="Place of the subject: original, center, or percentages across and down, such as '50% 100%'.",
    ),
    click.option(
        "--shadow",
        type=Composing("shadow", "opacity"),
        is_flag=False,
        flag_value="50%",
        help="Soft shadow below the subject; 50% if --shadow comes last, without an opacity.",
    ),
    click.option(
        "--megapixels",
        type=click.FloatRange(0, min_open=True),
        help="Maximum size of the result; it is never enlarged.",
    ),
    click.option(
        "--region-of-interest",
        "--roi",
        type=Composing("region_of_interest", "lengths"),
        help="Keep only the subject there: left, top, right, bottom, such as '10% 0 90% 400px'."
        " Like the next, only without a service.",
    ),
    click.option(
        "--opaque-inside",
        is_flag=True,
        help="Make half-transparent areas inside the subject opaque, such as windows.",
    ),
    click.option(
        "--at-once",
        type=click.IntRange(1, 64),
        metavar="N",
        default=AT_ONCE,
        show_default=True,
        help="Pictures at a time; without a service usually two at most.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        show_default=f"{WAIT_SECONDS:.0f} with a service, else none",
        help="Time for one picture; without a service it is checked between steps.",
    ),
    click.option(
        "--model",
        help="fast, exact, best, a model, or one with its precision, such as isnet-general-use:fast; only without"
        " a service.",
    ),
)


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """What the caller wants of results."""

    settings: Settings
    finish: FinishOptions
    timeout_seconds: float | None
    at_once: int
    file_format: str | None
    """The format that was asked for."""
    model: str | None = None
    """The model that was asked for."""
    region_of_interest: str | None = None
    opaque_inside: bool = False

    def for_file(self, target: Path | None) -> Self:
        """The same for a file whose name says the format, where none was asked for; None for any names.

        Raises:
            UsageError: the options, or they and the name, contradict each other.
        """
        if self.region_of_interest is not None and "box" in self.settings:
            raise click.UsageError("--box and --region-of-interest exclude each other")
        if self.settings.get("background_threshold", 0) > self.settings.get("foreground_threshold", 255):
            raise click.UsageError("--background-threshold must not exceed --foreground-threshold")
        try:
            file_format = format_for(target or "", self.file_format)
            finish = replace(self.finish, file_format=file_format)
            finish.check(only_mask=self.settings.get("only_mask", False))
        except (ValueError, WrongSuffix) as error:
            raise click.UsageError(str(error)) from None
        return replace(self, finish=finish, file_format=file_format)

    @property
    def suffix(self) -> str:
        """What the names of results end with."""
        return SUFFIXES[self.finish.file_format][0]

    @property
    def as_made(self) -> Making:
        """How to make them where what makes them finishes them as well."""
        return Making(
            settings=self.settings,
            suffix=self.suffix,
            variant=" ".join([*([str(self.finish)] if self.finish.any else ()), *self._cutting]),
            timeout_seconds=WAIT_SECONDS if self.timeout_seconds is None else self.timeout_seconds,
        )

    @property
    def _cutting(self) -> list[str]:
        """What only whoever has the network can do, as it was asked for."""
        region = [] if self.region_of_interest is None else [f"--region-of-interest={self.region_of_interest}"]
        return [*region, *(["--opaque-inside"] if self.opaque_inside else [])]

    def making(self) -> Making:
        """How to make them of what a service delivers.

        Raises:
            PartsMissing: the libraries of the worker are not installed.
            UsageError: an option is for this process alone, or the picture behind the subject cannot be read.
        """
        if self._cutting:
            raise click.UsageError("--region-of-interest and --opaque-inside are not for a service; take --box")
        if not self.finish.any:
            return self.as_made
        require_parts("worker")
        from cutgate.in_process.finishing import converter  # only now: it loads what makes pictures
        from cutgate.jobs.errors import CutoutError

        finish = self.finish
        try:
            convert = converter(
                finish.composing,
                file_format=finish.file_format,
                quality=finish.quality,
                background_image=finish.background_image,
            )
        except (CutoutError, OSError) as error:
            raise click.UsageError(f"--background-image {finish.background_image}: {error}") from None
        return replace(self.as_made, convert=convert)

    def options(self) -> CutoutOptions:
        """The same for this process; a JPEG without a background lies over white, as a service has it."""
        finish = self.finish
        is_bare = finish.background is None and finish.background_image is None
        over_white = is_bare and finish.file_format == "jpeg" and not self.settings.get("only_mask")
        wanted = {
            **finish.composing,
            "background": "#ffffff" if over_white else finish.background,
            "background_image": finish.background_image,
            "region_of_interest": self.region_of_interest,
            "opaque_inside": self.opaque_inside or None,
            "timeout_seconds": self.timeout_seconds,
        }
        known = {name: value for name, value in wanted.items() if value is not None}
        return cast("CutoutOptions", {**self.settings, **known})


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command takes them as `results`."""

    @functools.wraps(command)
    def collect(
        *,
        file_format: str | None,
        quality: int | None,
        background: str | None,
        background_image: Path | None,
        megapixels: float | None,
        crop_margin: str | None,
        scale: str | None,
        position: str | None,
        shadow: str | None,
        region_of_interest: str | None,
        opaque_inside: bool,
        timeout: float | None,
        model: str | None,
        at_once: int,
        **others: Any,
    ) -> None:
        named = {name: others.pop(name) for name in FIELDS}
        settings = cast("Settings", {name: value for name, value in named.items() if value is not None})
        finish = FinishOptions(
            quality=quality,
            background=background,
            background_image=background_image,
            megapixels=megapixels,
            crop_margin=crop_margin,
            scale=scale,
            position=position,
            shadow=shadow,
        )
        results = ResultOptions(
            settings, finish, timeout, at_once, file_format, model, region_of_interest, opaque_inside=opaque_inside
        )
        command(results=results, **others)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), collect)
