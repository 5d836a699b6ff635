"""Fields beside the picture, read as rembg's own server reads them, and the spec that they stand for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from cutgate.colours import colour_of
from cutgate.gateway.rembg.errors import Refused
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url
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

FILE: Final = "file"
_MOST_ERODE: Final = 255
_AS_TEXT: Final = WithJsonSchema({"type": "string", "example": "255,255,255,255"})


def _url(text: str) -> str:
    if not is_web_url(text):
        raise ValueError(f"send another url: {WEB_URL_FORM}")
    return text


def _colour(value: object) -> object:
    if not value:
        return None
    try:
        return colour_of([int(level) for level in str(value).split(",")])
    except ValueError:
        raise ValueError("send R,G,B or R,G,B,A, each 0 to 255, such as 255,0,0,255") from None


class Options(BaseModel):
    """The fields with rembg's defaults. Unknown ones are ignored, and `extras` too."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    model: Annotated[str, Field(pattern=f"^({'|'.join(MODELS)})$")] | None = None
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
    bgc: Annotated[Colour | None, BeforeValidator(_colour), _AS_TEXT] = None
    """Background colour, `R,G,B,A`."""

    @classmethod
    def read(cls, query: Mapping[str, str], form: Mapping[str, bytes]) -> Self:
        """Read the fields of a query and of a form, which counts first; a form's empty fields count as absent.

        Raises:
            Refused: with all that is wrong, in FastAPI's form.
        """
        sent = {name: value if name == FILE else value.decode() for name, value in form.items() if value}
        try:
            return cls.model_validate({**query, **sent})
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
        for problem in problems:
            field = problem["loc"][0]
            problem["loc"] = ("body" if field in {FILE, *sent} else "query", field)
            if problem["type"] == "missing":
                problem["input"] = None  # pydantic shows all fields here, the file too
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, problems)

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


class UrlOptions(Options):
    """The fields of a request that names the picture."""

    url: Annotated[str, AfterValidator(_url)]


class FileOptions(Options):
    """The fields of a request that holds the picture."""

    file: bytes
