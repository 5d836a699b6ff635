"""Fields beside the picture, read as rembg's own server reads them, and the spec that they stand for."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from cutgate.jobs.spec import Colour, CutoutSpec, ModelChoice, Output, Refinement

MODELS: Final[Mapping[str, str]] = {
    name: name
    for name in (
        *("u2net", "u2netp", "u2net_human_seg", "silueta", "isnet-general-use", "isnet-anime", "bria-rmbg"),
        *("birefnet-general", "birefnet-general-lite", "birefnet-portrait", "birefnet-dis", "birefnet-hrsod"),
        *("birefnet-cod", "birefnet-massive"),
    )
} | {"birefnet-general-fp16": "birefnet-general"}
"""rembg's names of networks that find the subject, and ours; the others want prompts, files or another service."""

_MOST_ERODE: Final = 255
_CHANNELS: Final = (3, 4)
_OPAQUE: Final = 255

Detail = dict[str, Any]
"""What is wrong with one field, in FastAPI's form."""


class Invalid(Exception):
    """Fields that are missing or not acceptable."""

    def __init__(self, details: Sequence[Detail]) -> None:
        super().__init__(", ".join(str(detail["loc"][-1]) for detail in details))
        self.details = list(details)


def missing(place: str, name: str) -> Detail:
    """What is said of a field that has to be there; the place is `query` or `body`."""
    return {"type": "missing", "loc": [place, name], "msg": "Field required", "input": None}


def _known(value: object) -> object:
    if value not in MODELS:
        names = ", ".join(MODELS)
        raise PydanticCustomError("string_pattern_mismatch", "Model should be one of {names}", {"names": names})
    return value


def _colour(value: object) -> object:
    if not value:
        return None
    parts = str(value).split(",")
    try:
        levels = tuple(int(part) for part in parts)
    except ValueError:
        levels = ()
    if len(levels) not in _CHANNELS or not all(0 <= level <= _OPAQUE for level in levels):
        raise PydanticCustomError(
            "colour", "Colour should be R,G,B or R,G,B,A, each 0 to 255, such as 255,0,0,255"
        )
    return (*levels, _OPAQUE)[: _CHANNELS[-1]]


class Options(BaseModel):
    """The fields with rembg's defaults. Unknown ones are ignored, and `extras` too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: Annotated[str, BeforeValidator(_known), Field(json_schema_extra={"enum": list(MODELS)})] | None = None
    """The network; when absent, or where no worker offers it, the account's."""
    a: bool = False
    """Alpha matting."""
    af: Annotated[int, Field(ge=0, le=255)] = 240
    """Alpha matting: levels above it are foreground."""
    ab: Annotated[int, Field(ge=0, le=255)] = 10
    """Alpha matting: levels below it are background."""
    ae: Annotated[int, Field(ge=0)] = 10
    """Alpha matting: how far the unknown band reaches, in pixels; 255 at most."""
    om: bool = False
    """Only the mask."""
    ppm: bool = False
    """Clean the mask: opening and smoothing."""
    dc: bool = False
    """Take the background's colour out of soft edges."""
    vm: bool = False
    """Refine edges: alpha matting here."""
    bgc: Annotated[Colour | None, BeforeValidator(_colour)] = None
    """Background colour, `R,G,B,A`."""

    @classmethod
    def read(cls, query: Mapping[str, str], form: Mapping[str, str], more: Sequence[Detail] = ()) -> Self:
        """Read fields of both places; a form's count before those of the query.

        Args:
            query: as sent.
            form: as sent; empty fields count as absent.
            more: what else is wrong with the request.

        Raises:
            Invalid: with all that is wrong.
        """
        sent = {name: value for name, value in form.items() if value}
        try:
            read = cls.model_validate({**query, **sent})
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise Invalid([*(_detail(one, sent) for one in found), *more]) from None
        if more:
            raise Invalid(more)
        return read

    def spec(self, choice: ModelChoice) -> CutoutSpec:
        """What is to be done with the picture; a mask alone is never matted, as with rembg."""
        spec = CutoutSpec(
            model=choice.model,
            precision=choice.precision,
            refinement=Refinement.AUTO if self.dc and not self.om else Refinement.RAW,
            tidy_mask=self.ppm,
            output=Output.MASK if self.om else Output.CUTOUT,
            background=None if self.om else self.bgc,
        )
        if self.om or not (self.a or self.vm):
            return spec
        matting = {
            "refinement": Refinement.ON,
            "foreground_threshold": max(self.af, self.ab),  # where they cross, rembg's background counts
            "background_threshold": self.ab,
            "erode_px": min(self.ae, _MOST_ERODE),
        }
        return spec.model_copy(update=matting)


def _detail(problem: Any, form: Mapping[str, str]) -> Detail:
    name = problem["loc"][0]
    return {**problem, "loc": ["body" if name in form else "query", name]}
