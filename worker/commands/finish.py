"""Results as a service delivers them, finished where the caller is: `python -m cutgate.worker finish`.

PICPIK's protocol knows PNG alone, without a crop and without a background.
"""

import io
import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from PIL import Image, UnidentifiedImageError

from cutgate.colours import colour_of
from cutgate.jobs.composition import Composition, composition_of
from cutgate.jobs.errors import CutoutError, SourceUndecodable, SourceUnreadable
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.spec import Colour, FileFormat
from cutgate.worker.cutout.raster.arrays import Bytes, Levels, RgbImage
from cutgate.worker.pictures.encoders import Picture
from cutgate.worker.pictures.finish import Finish, finish
from cutgate.worker.pictures.images import read_image
from cutgate.worker.pictures.metadata import dpi_of, rights_of
from cutgate.worker.pictures.sixteen_bit import is_deep, read_samples

_UNLIMITED: Final = SourceLimits(max_bytes=2**40, max_pixels=2**40, max_side_px=2**31)
"""For the caller's own files."""


class CssColour(click.ParamType[Colour]):
    """A colour as `colour_of` reads it."""

    name = "colour"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Colour:
        """Read the text of the option."""
        try:
            return colour_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("finish")
@click.option("--format", "file_format", type=click.Choice([each.value for each in FileFormat]), default="png")
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG and WebP; without it WebP is lossless.")
@click.option("--background", type=CssColour(), help="Colour behind the subject.")
@click.option(
    "--background-image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Picture behind the subject, scaled to cover.",
)
@click.option("--megapixels", type=float, help="The result is made smaller to have no more.")
@click.option("--crop-margin", help="Cut down to the subject and so much around, such as 10px 5%.")
@click.option("--scale", help="Share of both sides that the subject fits, such as 80%.")
@click.option("--position", help="Where the subject lies: original, center, or percentages, such as 50% 100%.")
@click.option("--shadow", help="Opacity of a shadow below the subject, such as 50%.")
def finish_command(
    file_format: str,
    quality: int | None,
    background: Colour | None,
    background_image: Path | None,
    **composing: Any,
) -> None:
    """Make other files of delivered PNGs.

    Standard input has a line of JSON for each: {"source": "cut.png", "target": "cut.webp"}. Each is answered with
    a line as soon as it is done: {"error": null}, or a text in place of null.
    """
    try:
        composition = composition_of(**composing) or Composition()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    how = Finish(
        file_format=FileFormat(file_format),
        quality=quality,
        background=background if background_image is None else _picture_of(background_image),
        composition=composition,
    )
    for answer in finish_files(sys.stdin, how):
        click.echo(answer)


def finish_files(lines: Iterable[str], how: Finish) -> Iterator[str]:
    """Do what each line says, and answer it; what is wrong with one file does not stop the others."""
    for line in lines:
        try:
            order = json.loads(line)
            data = Path(order["source"]).read_bytes()
            finished = finish(read_delivered(data, keep_16_bit=how.file_format is FileFormat.PNG), how)
            Path(order["target"]).write_bytes(finished.data)
        except CutoutError as error:
            yield json.dumps({"error": error.message})
        except (OSError, ValueError, LookupError, TypeError) as error:
            yield json.dumps({"error": str(error)})
        else:
            yield json.dumps({"error": None})


def read_delivered(data: bytes, *, keep_16_bit: bool) -> Picture:
    """A PNG of this service, or of another one: grey is a mask, all else is a cut-out.

    Args:
        data: the file.
        keep_16_bit: give a cut-out of 16 bits as such.

    Raises:
        SourceUnreadable: it is no PNG.
        SourceUndecodable: it is damaged.
    """
    with warnings.catch_warnings(action="ignore"):  # of oddities in metadata, which have no bearing on the pixels
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                samples = None
                if keep_16_bit and picture.mode == "RGBA" and is_deep(data, picture):
                    samples = read_samples(data, 1)
                pixels: Levels = _levels_of(picture) if samples is None else samples
                profile = None if pixels.ndim == 2 else picture.info.get("icc_profile")
                return Picture(
                    pixels=pixels, icc_profile=profile, dpi=dpi_of(picture, 1), rights=rights_of(picture)
                )
        except UnidentifiedImageError:
            raise SourceUnreadable("the result is not a PNG") from None
        except (OSError, SyntaxError, ValueError):
            raise SourceUndecodable("the result is truncated or damaged; fetch it again") from None


def _levels_of(picture: Image.Image) -> Bytes:
    return np.asarray(picture if picture.mode == "L" else picture.convert("RGBA"))


def _picture_of(path: Path) -> RgbImage:
    try:
        return read_image(path.read_bytes(), _UNLIMITED).rgb
    except (CutoutError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from None
