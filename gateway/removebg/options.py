"""Fields that say what is made of a picture, and the spec that they stand for."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from cutgate.gateway.removebg import fields
from cutgate.gateway.removebg.errors import FIELDS, Refused
from cutgate.jobs.composition import Composition, Length, Margins, RegionOfInterest, Shadow
from cutgate.jobs.spec import CutoutSpec, FileFormat, Holes, ModelChoice, Output
from cutgate.validation import in_words

PREVIEW: Final = "preview"
MEGAPIXEL: Final = 1_000_000
_MOST_PNG_PIXELS: Final = 10 * MEGAPIXEL
_LEAST_SUBJECT_SHARE: Final = 0.000_5
_WEBP_QUALITY: Final = 90
"""Who asks for WebP wants a small file; its alpha is kept exactly all the same."""
_WHOLE_SIDE: Final = Length.parse("100%")


class Options(BaseModel):
    """The fields beside those that hold pictures. What is not sent has its default; unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    format: fields.Format = "auto"
    roi: fields.Roi | None = None
    crop: fields.Flag = False
    crop_margin: fields.CropMargin | None = None
    scale: fields.Scale = None
    position: fields.Place = None
    channels: fields.Channels = "rgba"
    shadow_type: fields.ShadowType | None = None
    shadow_opacity: fields.Opacity = None
    add_shadow: fields.Flag = False
    semitransparency: fields.Flag = True
    bg_color: fields.Colour = None
    size: fields.Size = PREVIEW
    type: fields.Type = "auto"
    type_level: fields.TypeLevel = "1"
    holes: fields.Holes = "keep"

    @classmethod
    def read(cls, given: Mapping[str, object]) -> "Options":
        """Read fields."""
        try:
            return cls.model_validate({name: given[name] for name in FIELDS if name in given})
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
        name, reason = str(problem["loc"][0]), in_words(problem, cls)
        raise Refused(f"invalid_{name}", f"{name} {reason}" if reason.startswith("must") else f"{name}: {reason}")

    def shown_type(self) -> str | None:
        """What `X-Type` says: what the caller said, as nothing is classified; None where it is not asked for."""
        match self.type_level:
            case "none":
                return None
            case "1":
                return fields.TYPES[self.type]
            case _:
                names = {"auto": "other", "graphic": "graphics"}
                return names.get(self.type, self.type)

    @property
    def _is_mask(self) -> bool:
        return self.channels == "alpha" and self.format != "zip"

    @property
    def shows_background(self) -> bool:
        """Whether what lies behind the subject is in the result."""
        return not self._is_mask and self.format != "zip"

    def spec(self, choice: ModelChoice, size: str, *, has_background: bool) -> CutoutSpec:
        """The work on the picture."""
        is_mask = self._is_mask
        asked = FileFormat("jpeg" if self.format == "jpg" else self.format)
        file_format = FileFormat.PNG if is_mask and asked is FileFormat.AUTO else asked
        return CutoutSpec(
            model=choice.model,
            precision=choice.precision,
            holes=Holes(self.holes),
            output=Output.MASK if is_mask else Output.CUTOUT,
            background=self.bg_color if self.shows_background else None,
            file_format=file_format,
            quality=_WEBP_QUALITY if file_format is FileFormat.WEBP else None,
            composition=self._composition(self._max_pixels(file_format, size, has_background=has_background)),
        )

    def _max_pixels(self, file_format: FileFormat, size: str, *, has_background: bool) -> int:
        is_opaque = has_background or (self.bg_color is not None and self.bg_color[3] == 255)
        is_png = file_format is FileFormat.PNG or (file_format is FileFormat.AUTO and not is_opaque)
        return min(fields.SIZES[size], _MOST_PNG_PIXELS) if is_png else fields.SIZES[size]

    def _composition(self, max_pixels: int) -> Composition:
        try:
            return Composition(
                region_of_interest=None if _is_whole(self.roi) else self.roi,
                max_pixels=max_pixels,
                crop=(self.crop_margin or Margins.parse("0")) if self.crop else None,
                scale=self.scale,
                position=self.position,
                shadow=self._shadow(),
                hard_inside=not self.semitransparency,
                least_subject_share=_LEAST_SUBJECT_SHARE,
            )
        except ValidationError:  # all else was looked at before
            raise Refused("roi_region_empty") from None

    def _shadow(self) -> Shadow | None:
        kind = self.shadow_type or ("auto" if self.add_shadow else "none")
        if kind == "none" or self.channels == "alpha":
            return None
        return Shadow() if self.shadow_opacity is None else Shadow(opacity=self.shadow_opacity)


def _is_whole(roi: RegionOfInterest | None) -> bool:
    return roi is None or (roi.left.amount == roi.top.amount == 0 and roi.right == roi.bottom == _WHOLE_SIDE)
