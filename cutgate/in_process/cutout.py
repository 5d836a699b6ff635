"""The result of a picture that was cut out in this process."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from cutgate.errors import CutoutFailed
from cutgate.files import write_whole
from cutgate.formats import format_for
from cutgate.in_process.options import Showing
from cutgate.protocol.picpik import RADIUS_PX, MaskSettings, Strokes, require_known

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from cutgate.in_process.job import Origin
    from cutgate.worker.pictures.encoders import Picture
    from cutgate.worker.pictures.finish import Finish


class Cutout:
    """A subject without its background, or its mask where `only_mask` was set. Made by `remove_background`.

    Beside its result, of 4 bytes a pixel, it holds what `refine` needs: the network's mask, of 1 byte a pixel, and
    the picture as it was given, so the content of a file, or the caller's own array or Pillow picture.
    """

    def __init__(self, result: Picture, how: Finish, origin: Origin) -> None:
        from cutgate.worker.pictures.finish import lay_out

        self._result, self._how, self._origin = result, how, origin
        self._settings = origin.settings
        self._composed, _ = lay_out(result, how)

    def __repr__(self) -> str:
        width_px, height_px = self._composed.size_px
        subject = "" if self.subject_found else ", no subject found"
        return f"<Cutout of {width_px} x {height_px} px{subject}>"

    @property
    def subject_found(self) -> bool:
        """False where the result is clear throughout, for want of a subject."""
        return self._result.subject_found

    @property
    def confidence(self) -> float | None:
        """How likely the cut-out is right, 0 to 1; None for models that give mattes, whose grey is no doubt."""
        return self._result.confidence

    @property
    def array(self) -> NDArray[Any]:
        """(height, width, 4) with straight alpha, over the background if there is one; a mask is (height, width).

        Of uint8, or of uint16 where the picture had 16 bits that were kept.
        """
        return self._shown().pixels

    @property
    def image(self) -> Image.Image:
        """As a Pillow picture of 8 bits: RGBA with straight alpha; a mask is L."""
        from PIL import Image

        shown = self._narrowed(self._shown())
        image = Image.fromarray(shown.pixels)
        if shown.icc_profile is not None:
            image.info["icc_profile"] = shown.icc_profile
        if shown.dpi is not None:
            image.info["dpi"] = shown.dpi
        return image

    @property
    def mask(self) -> Image.Image:
        """The subject's alpha as a Pillow picture of mode L, whatever lies behind the subject."""
        from PIL import Image

        from cutgate.worker.pictures.finish import lay_out

        shown = self._composed
        if self._how.composition.shadow is not None:
            unshaded = self._how.composition.model_copy(update={"shadow": None})
            shown, _ = lay_out(self._result, replace(self._how, composition=unshaded))
        pixels = self._narrowed(shown).pixels
        return Image.fromarray(pixels if pixels.ndim == 2 else pixels[..., 3].copy())

    def composed(self, **options: Unpack[Showing]) -> Cutout:
        """Show the subject another way; the network does not run again.

        Args:
            options: how, see `Showing`; what is not named is not done, whatever this cut-out shows.

        Raises:
            CutoutFailed: the background is no picture that can be read, or is over a limit.
            OSError: its file cannot be read.
            TypeError: there is no such option.
            ValueError: an option is wrong.
        """
        from cutgate.in_process.showing import behind_of, finish_for
        from cutgate.jobs.errors import CutoutError

        require_known(options, Showing.__optional_keys__)
        try:
            how = finish_for(options, is_mask=self._result.is_mask)
            behind = behind_of(options, self._settings)
            if behind is not None:
                how = replace(how, background=behind.decode().over_backdrop())
        except CutoutError as error:
            raise CutoutFailed(error.kind, error.message) from error
        return Cutout(self._result, how, self._origin)

    def refine(
        self,
        *,
        keep: Strokes = (),
        remove: Strokes = (),
        radius_px: int = RADIUS_PX,
        **settings: Unpack[MaskSettings],
    ) -> Cutout:
        """Correct the cut-out; the network does not run again, and it is shown as this one is.

        Strokes and settings come on top of those that this cut-out has. The picture is read again, so an array or
        a Pillow picture must not have changed.

        Args:
            keep: strokes over what belongs to the subject, in pixels of the upright picture, before any crop. What
                they touch belongs to it as well. Fractions are rounded.
            remove: strokes over what does not belong to it.
            radius_px: half the width of these strokes.
            settings: what else is to change, see `MaskSettings`.

        Raises:
            TypeError: there is no such setting.
            ValueError: a stroke is none, or a setting is wrong.
        """
        result, origin = self._origin.refined(keep, remove, radius_px, settings)
        return Cutout(result, self._how, origin)

    def to_bytes(self, file_format: str = "png", *, quality: int | None = None) -> bytes:
        """The content of a file.

        Args:
            file_format: `png`, `webp`, `jpeg`, or `zip` with colours and alpha apart.
            quality: 1 to 100, of jpeg, zip, and webp, which is lossless without it.

        Raises:
            ValueError: there is no such format or quality; or it is JPEG, which has no transparency, and there is
                no background.
            CutoutFailed: the picture is larger than the format can hold.
        """
        from cutgate.jobs.errors import CutoutError
        from cutgate.jobs.spec import FileFormat
        from cutgate.worker.pictures.finish import encode_with_type, over_background

        kind = FileFormat(format_for("", file_format))
        if quality is not None and not 1 <= quality <= 100:
            raise ValueError(f"quality is 1 to 100, not {quality}")
        if kind is FileFormat.JPEG and self._how.background is None and not self._result.is_mask:
            raise ValueError("JPEG has no transparency: pass background='#ffffff', or write PNG or WebP")
        result = self._composed if kind is FileFormat.PNG else self._narrowed(self._composed)
        how = replace(self._how, file_format=kind, quality=quality)
        try:
            return encode_with_type(over_background(result, how), how, threads=self._settings.thread_count())[0]
        except CutoutError as error:
            raise CutoutFailed(error.kind, error.message) from error

    def save(
        self, path: str | os.PathLike[str], *, file_format: str | None = None, quality: int | None = None
    ) -> Path:
        """Write a file, which appears whole or not at all; its suffix says the format. Returns its path.

        Args:
            path: the file; without a suffix it is a PNG.
            file_format: as `to_bytes`, for a name that does not say it.
            quality: as `to_bytes`.

        Raises:
            WrongSuffix: the suffix is no format's, or another one's than `file_format`.
            ValueError, CutoutFailed: as `to_bytes`.
            OSError: the file cannot be written.
        """
        target = Path(path)
        write_whole(target, self.to_bytes(format_for(target, file_format), quality=quality))
        return target

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.to_bytes("png")

    def _shown(self) -> Picture:
        from cutgate.worker.pictures.finish import over_background

        return over_background(self._composed, self._how)

    @staticmethod
    def _narrowed(picture: Picture) -> Picture:
        """The picture at 8 bits."""
        import numpy as np

        from cutgate.worker.pictures.sixteen_bit import to_8_bit

        if picture.pixels.dtype == np.uint8:
            return picture
        return replace(picture, pixels=to_8_bit(np.asarray(picture.pixels, np.uint16)))
