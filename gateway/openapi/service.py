"""The parts of the description that belong to no façade: results and health."""

from collections.abc import Mapping
from typing import Final

from cutgate.gateway.openapi.parts import ApiSection, Schema, response

_STRING: Final[Schema] = {"type": "string"}
_PATH: Final[Mapping[str, str]] = {
    "mac": "Proves that this service made the address.",
    "expires": "Unix time in seconds up to which it holds.",
    "task": "The task.",
    "index": "Which of its pictures.",
    "name": "The file's name.",
}


def service_section() -> ApiSection:
    """What anybody may ask without a key."""
    alive = _look("alive", "Whether the gateway lives", {"200": "It does."})
    # A service without a worker, which will be started, says `cold`.
    ready = _look("ready", "Whether a job could be done", {"200": "It could.", "503": "Not now."}, "cold")
    return ApiSection(
        name="Service",
        summary="Results and health, without a key",
        paths={"/r/{mac}/{expires}/{task}/{index}/{name}": _result(), "/healthz": alive, "/readyz": ready},
    )


def _result() -> Schema:
    picture = {"image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}}}
    found = {"description": "Whether a subject was found.", "schema": {"enum": ["found", "none"]}}
    confidence = {"description": "How likely it is right, 0 to 1.", "schema": {"type": "number"}}
    missing = {"description": "The address was altered or has expired, or the result is gone."}
    path = [_parameter(name, "path", text) | {"required": True} for name, text in _PATH.items()]
    download = _parameter("download", "query", "The name under which a browser saves it, instead of showing it.")
    operation = {
        "operationId": "result",
        "summary": "Fetch a result",
        "description": "Answers hold the whole address, signed and good for a while: use it as it is.",
        "security": [],
        "parameters": [*path, download, _parameter("Range", "header", "A part of it.")],
        "responses": {
            "200": {
                "description": "The picture.",
                "headers": {"Cutgate-Subject": found, "Cutgate-Confidence": confidence},
                "content": picture,
            },
            "206": {"description": "The part of it that was asked for.", "content": picture},
            "304": {"description": "It is still the one of `If-None-Match`."},
            "404": missing,
            "416": {"description": "The range lies outside."},
        },
    }
    return {"get": operation}


def _parameter(name: str, place: str, text: str) -> Schema:
    return {"name": name, "in": place, "description": text, "schema": _STRING}


def _look(name: str, summary: str, said: Mapping[str, str], *optional: str) -> Schema:
    """What anybody may ask, with what each HTTP status says."""
    members = {member: {"type": "boolean"} for member in (name, *optional)}
    answer: Schema = {"type": "object", "properties": members, "required": [name]}
    responses = {status: response(text, answer) for status, text in said.items()}
    return {"get": {"operationId": name, "summary": summary, "security": [], "responses": responses}}
