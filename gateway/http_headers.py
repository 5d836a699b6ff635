"""Headers that several façades read, or write, alike."""

from collections.abc import Iterable, Mapping
from typing import Final

from flask import Response, request
from werkzeug.exceptions import BadRequest

ALL_ORIGINS: Final = {"Access-Control-Allow-Origin": "*"}
_NAME_HEADER: Final = "Idempotency-Key"
_NAME_CHARACTERS: Final = 255
_SCHEME: Final = "bearer "
_PREFLIGHT_SECONDS: Final = 86_400


def bearer_key() -> str | None:
    """The key in the present request's `Authorization` header, where it has one."""
    authorization = request.headers.get("Authorization", "")
    is_bearer = authorization.lower().startswith(_SCHEME)
    return authorization[len(_SCHEME) :].strip() if is_bearer else None


def idempotency_key(origin: str) -> str | None:
    """The caller's own name for the present request, apart from those of other origins; None where it has none.

    Raises:
        BadRequest: it is too long.
    """
    name = request.headers.get(_NAME_HEADER, "")
    if len(name) > _NAME_CHARACTERS:
        raise BadRequest(f"{_NAME_HEADER} has more than {_NAME_CHARACTERS} characters.")
    return f"{origin}:{name}" if name else None


def exposed(names: Iterable[str]) -> Mapping[str, str]:
    """Headers that let programs of all origins read an answer, and these headers of it."""
    return {**ALL_ORIGINS, "Access-Control-Expose-Headers": ", ".join(names)}


def preflight() -> Response:
    """Let pages of all origins call."""
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": f"Authorization, X-Api-Key, Content-Type, Accept, {_NAME_HEADER}",
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return Response(headers={**ALL_ORIGINS, **headers}, content_type="text/plain")
