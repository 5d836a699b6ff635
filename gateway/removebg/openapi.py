"""The protocol's part of the service's description, made from the models and tables that requests pass through."""

from typing import Final

from cutgate.gateway.openapi.models import model_schema, ref, shape_of
from cutgate.gateway.openapi.parts import (
    FILE,
    PICTURE,
    ApiSection,
    Schema,
    error_tables,
    in_forms,
    operation,
    response,
)
from cutgate.gateway.removebg.errors import ROWS
from cutgate.gateway.removebg.options import Options
from cutgate.gateway.removebg.responses import EXPOSED, FOREGROUND
from cutgate.gateway.removebg.tariff import Tariff
from cutgate.gateway.removebg.views import KEY_HEADER, PREFIX, RemoveBgApi

_ABOUT: Final = f"""The API key goes into `{KEY_HEADER}`. Send one of `image_file`, `image_file_b64` and \
`image_url`, and one of the `bg_` fields at most. Empty fields count as absent; unknown ones are ignored."""
_ERROR, _KEY = "RemoveBgError", "removeBgKey"
_STRING: Final[Schema] = {"type": "string"}
_PICTURE: Final = {"image_file": FILE, "image_file_b64": _STRING, "image_url": _STRING}
_EXAMPLE: Final = {"image_file_b64": PICTURE, "size": "auto"}


def removebg_section() -> ApiSection:
    """Describe the protocol."""
    rows = ((row.status, code, row.title) for code, row in ROWS.items() if row.status not in {404, 405})
    tables = error_tables("code", "title", rows)
    refused = {str(status): response(table, ref(_ERROR)) for status, table in tables.items()}
    data = {"result_b64": "", **{f"foreground_{name.lower()}": 0 for name in FOREGROUND}, "confidence": 0.0}
    removed = response("The picture; in JSON where `Accept` names it.", shape_of({"data": data}))
    files = ("image/png", "image/jpeg", "image/webp", "application/zip")
    removed["content"] = {**{media_type: {"schema": FILE} for media_type in files}, **removed["content"]}
    removed["headers"] = {name: {"schema": _STRING} for name in EXPOSED if name != "Retry-After"}
    own = model_schema(Options, "validation", {})["properties"]
    fields = {**_PICTURE, "bg_image_file": FILE, "bg_image_url": _STRING, **own}
    account = response("Its credits.", shape_of(Tariff(1).account(None)))
    kept = response("The picture's id.", shape_of({"id": ""}))
    calls = (
        ("post", "removebg", RemoveBgApi.remove_background, removed, in_forms(fields, _EXAMPLE)),
        ("get", "account", RemoveBgApi.account, account, None),
        ("post", "improve", RemoveBgApi.improve, kept, in_forms(_PICTURE, _EXAMPLE)),
    )
    return ApiSection(
        name="remove.bg",
        summary="The answer to a request is the picture",
        text=_ABOUT,
        paths={
            f"{PREFIX}/{path}": {method: operation(view, answer, refused, body, _KEY)}
            for method, path, view, answer, body in calls
        },
        schemas={_ERROR: shape_of({"errors": [dict.fromkeys(("title", "detail", "code"), "")]})},
        security_schemes={_KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER}},
        variables={"picture": PICTURE},
    )
