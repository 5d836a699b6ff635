"""The protocol's part of the service's description."""

from typing import Final

from cutgate.gateway.openapi.models import model_schema, ref
from cutgate.gateway.openapi.parts import FILE, MULTIPART, ApiSection, Schema, operation, response
from cutgate.gateway.pictures.files import CONFIDENCE_HEADER
from cutgate.gateway.rembg.errors import RAISED
from cutgate.gateway.rembg.options import FileOptions, UrlOptions
from cutgate.gateway.rembg.views import MODEL_HEADER, PATH, RembgApi

_ABOUT: Final = """The API of `rembg s`. The API key goes into `Authorization: Bearer`; none is needed where the \
operator has named an account for such requests."""
_ERROR, _KEY = "RembgError", "rembgKey"
_STRING: Final[Schema] = {"type": "string"}


def rembg_section() -> ApiSection:
    """Describe the protocol."""
    form, query = (model_schema(options, "validation", {}) for options in (FileOptions, UrlOptions))
    removed = {
        "description": "The picture.",
        "content": {"image/png": {"schema": FILE}},
        "headers": {name: {"schema": _STRING} for name in (MODEL_HEADER, CONFIDENCE_HEADER)},
    }
    texts: dict[int, list[str]] = {422: ["Fields are missing or wrong."], 415: ["Content-Encoding is set."]}
    for status, text in RAISED.values():
        texts.setdefault(int(status), []).append(text or "What is wrong with the picture.")
    refused = {str(status): response(" ".join(dict.fromkeys(text)), ref(_ERROR)) for status, text in texts.items()}
    sent = {"required": True, "content": {MULTIPART: {"schema": form}}}
    parameters = [
        {"name": name, "in": "query", "required": name in query["required"], "schema": schema}
        for name, schema in query["properties"].items()
    ]
    get = operation(RembgApi.remove_url, removed, refused, None, _KEY) | {"parameters": parameters}
    post = operation(RembgApi.remove_file, removed, refused, sent, _KEY)
    detail = {"description": "A text, or an error of each field.", "type": ["string", "array"]}
    return ApiSection(
        name="rembg",
        summary="A file or a URL in, a PNG back",
        text=_ABOUT,
        paths={PATH: {"get": get, "post": post}},
        schemas={_ERROR: {"type": "object", "properties": {"detail": detail}, "required": ["detail"]}},
        security_schemes={_KEY: {"type": "http", "scheme": "bearer"}},
    )
