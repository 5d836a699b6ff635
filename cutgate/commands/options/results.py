"""The options that say how results are made; `cut` and `watch` have the same."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import click

from cutgate.batches.batch import AT_ONCE, Recipe, Review
from cutgate.colours import colour_of
from cutgate.commands.options.local import Box, Checked, composing, existing_file
from cutgate.errors import WrongSuffix
from cutgate.formats import SUFFIXES, format_for
from cutgate.in_process.options import CutoutOptions, Showing, options_for, require_consistent
from cutgate.local.parts import require_parts
from cutgate.protocol.calls import WAIT_SECONDS
from cutgate.protocol.picpik import FIELDS, MOST_ERODE_PX, RefineOptions, Settings

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
        "--holes",
        type=click.Choice(["keep", "fill"]),
        show_default="keep",
        help="Transparent parts inside the subject: fill makes them opaque unless they show the background.",
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
    click.option("--background", type=Checked("colour", colour_of), help="Colour behind the subject."),
    click.option("--background-image", type=existing_file, help="Picture behind the subject, scaled to cover."),
    click.option(
        "--crop-margin",
        type=composing("crop_margin", "lengths"),
        help="Crop to the subject with margins: one, two or four of 10px or 5%, clockwise from the top.",
    ),
    click.option(
        "--scale",
        type=composing("scale", "percentage"),
        help="Size of the subject as a share of the frame, such as 80%.",
    ),
    click.option(
        "--position",
        type=composing("position", "place"),
        help="Place of the subject: original, center, or percentages across and down, such as '50% 100%'.",
    ),
    click.option(
        "--shadow",
        type=composing("shadow", "opacity"),
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
        type=composing("region_of_interest", "lengths"),
        help="Keep only the subject there: left, top, right, bottom, such as '10% 0 90% 400px'."
        " Like the next, only without a service.",
    ),
    click.option(
        "--opaque-inside",
        is_flag=True,
        help="Make half-transparent areas inside the subject opaque, such as windows.",
    ),
    click.option(
        "--timeout",
        "timeout_seconds",
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

at_once_option = click.option(
    "--at-once",
    type=click.IntRange(1, 64),
    metavar="N",
    default=AT_ONCE,
    show_default=True,
    help="Pictures at a time; without a service usually two at most.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """What the caller wants of results."""

    given: Mapping[str, Any]
    """Of `CutoutOptions`, by name."""
    file_format: str | None
    """As asked for; after `for_file` what is written."""
    quality: int | None
    model: str | None
    again: bool = False
    review: Review | None = None

    def for_file(self, target: Path | None) -> Self:
        """With the format that a file's name says, where none was asked for; None for any names.

        Raises:
            UsageError: the options, or they and the name, contradict each other.
        """
        given = self.given
        if given.keys() >= {"region_of_interest", "box"}:
            raise click.UsageError("--box and --region-of-interest exclude each other")
        if given.get("background_threshold", 0) > given.get("foreground_threshold", 255):
            raise click.UsageError("--background-threshold must not exceed --foreground-threshold")
        try:
            file_format = format_for(target or "", self.file_format)
            require_consistent(given, is_mask=self.only_mask)
        except (ValueError, WrongSuffix) as error:
            raise click.UsageError(str(error)) from None
        if self.quality is not None and file_format == "png":
            raise click.UsageError("--quality is for webp, jpeg and zip; png is always lossless")
        return replace(self, file_format=file_format)

    @property
    def only_mask(self) -> bool:
        """Whether results are masks."""
        return bool(self.given.get("only_mask"))

    @property
    def suffix(self) -> str:
        """What the names of results end with."""
        return SUFFIXES[self.file_format or "png"][0]

    @property
    def recipe(self) -> Recipe:
        """How to make results where whoever cuts them out finishes them as well."""
        finish = {"quality": self.quality} | {
            name: value for name, value in self.given.items() if name not in {*FIELDS, "timeout_seconds"}
        }
        return Recipe(
            settings=cast("Settings", {name: self.given[name] for name in FIELDS if name in self.given}),
            suffix=self.suffix,
            variant=" ".join(f"{name}={value}" for name, value in finish.items() if value is not None),
            timeout_seconds=self.given.get("timeout_seconds", WAIT_SECONDS),
            again=self.again,
            review=self.review,
        )

    def recipe_with_conversion(self) -> Recipe:
        """How to make results of what a service delivers."""
        if self.given.keys() & {"region_of_interest", "opaque_inside"}:
            raise click.UsageError("--region-of-interest and --opaque-inside are not for a service; take --box")
        showing = {name: value for name, value in self.given.items() if name in Showing.__optional_keys__}
        if not showing and self.file_format == "png":
            return self.recipe
        require_parts("worker")
        from cutgate.in_process.showing import converter  # only now: it loads what makes pictures
        from cutgate.jobs.errors import CutoutError

        try:
            convert = converter(showing, file_format=self.file_format or "png", quality=self.quality)
        except (CutoutError, OSError) as error:
            raise click.UsageError(f"--background-image {showing.get('background_image')}: {error}") from None
        return replace(self.recipe, convert=convert)

    def refine_options(self) -> RefineOptions:
        """Options for a finished result of a service."""
        fit = RefineOptions.__optional_keys__ | {"timeout_seconds"}
        unfit = sorted(self.given.keys() - fit) + ([] if self.model is None else ["model"])
        if unfit:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in unfit)
            raise click.UsageError(
                f"{names}: a service cannot change that of a finished result;"
                " leave it out, or cut the picture out anew"
            )
        given = {name: self.given[name] for name in fit - {"timeout_seconds"} if name in self.given}
        return cast("RefineOptions", {**given, "file_format": self.file_format, "quality": self.quality})

    def options(self) -> CutoutOptions:
        """Options for this process."""
        return options_for(self.given, self.file_format)


def result_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options; the command takes them as `results`."""

    @functools.wraps(command)
    def collect(*, file_format: str | None, quality: int | None, model: str | None, **others: Any) -> None:
        named = {name: others.pop(name) for name in CutoutOptions.__optional_keys__}
        given = {name: value for name, value in sorted(named.items()) if value is not None and value is not False}
        results = ResultOptions(given=given, file_format=file_format, quality=quality, model=model)
        command(results=results, **others)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), collect)
