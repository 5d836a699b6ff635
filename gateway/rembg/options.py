"""Fields beside the picture, read as rembg's own server reads them, and the spec that they stand for."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from cutgate.colours import rgba_of
from cutgate.gateway.rembg.errors import Refused
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

Detail = dict[str, Any]
"""Error of one field, in FastAPI's form."""


def missing(place: str, name: str) -> Detail:
    """The error of a required field; the place is `query` or `body`."""
    return {"type": "missing", "loc": [place, name], "msg": "Field required", "input": None}


def _known(value: object) -> object:
    if value not in MODELS:
        names = ", ".join(MODELS)
        raise PydanticCustomError("string_pattern_mismatch", "Model should be one of {names}", {"names": names})
    return value


def _colour(value: object) -> object:
    if not value:
        return None
    try:
        return rgba_of([int(level) for level in str(value).split(",")])
    except ValueError:
        advice = "Colour should be R,G,B or R,G,B,A, each 0 to 255, such as 255,0,0,255"
        raise PydanticCustomError("colour", advice) from None


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
        """Read the fields of a query and of a form, which counts first; a form's empty fields count as absent.

        Raises:
            Refused: with all that is wrong, and with `more` that was found before.
        """
        sent = {name: value for name, value in form.items() if value}
        problems: list[Any] = []
        try:
            read = cls.model_validate({**query, **sent})
        except ValidationError as error:
            problems = [*error.errors(include_url=False)]
        if not problems and not more:
            return read
        found = ({**one, "loc": ["body" if one["loc"][0] in sent else "query", *one["loc"]]} for one in problems)
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, [*found, *more])

    def spec(self, choice: ModelChoice) -> CutoutSpec:
        """The work on the picture. A mask alone is never matted and keeps its colours, as with rembg."""
        given = {"model": choice.model, "precision": choice.precision, "tidy_mask": self.ppm}
        if self.om:
            return CutoutSpec(**given, refinement=Refinement.RAW, output=Output.MASK)
        if not (self.a or self.vm):
            refinement = Refinement.AUTO if self.dc else Refinement.RAW
            return CutoutSpec(**given, refinement=refinement, background=self.bgc)
        return CutoutSpec(
            **given,
            refinement=Refinement.ON,
            background=self.bgc,
            foreground_threshold=max(self.af, self.ab),  # where they cross, rembg's background counts
            background_threshold=self.ab,
            erode_px=min(self.ae, _MOST_ERODE),
        )
