"""The signature vectors, each taken apart into what goes in and comes out of a stage."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

from cutgate.signing import FormText, JsonValue, NumberText, parse_body, parse_form

_FILE: Final = Path(__file__).parent / "vectors" / "picpik_vectors.json"
_FORM: Final = "application/x-www-form-urlencoded"

NOT_RUN: Final = {
    "unicode_name_supplementary": "names in UTF-16 order are not offered: no name of the protocol needs it"
}
"""Vectors whose optional signatures stay refused, with the reason. What is required of them is run."""


@dataclass(frozen=True)
class Vector:
    """One entry of the file; every stage starts from the expected result of the stage before."""

    name: str
    body: bytes
    is_form: bool
    params: dict[str, JsonValue]
    """By the standard decoder, so that `parse_body` is held to something else than itself."""
    file_params: dict[str, Any]
    """The entry's own `params`, in which a number is a number and has lost its text."""
    canonical: str
    canonical_bytes: int | None
    private_key: str
    signature: str
    valid: bool
    presented: str
    presented_as: str
    public_key_known: bool
    accepts: tuple[str, ...]
    accepts_optional: tuple[str, ...]

    @property
    def live_keys(self) -> list[str]:
        return [self.private_key] if self.public_key_known else []

    def signed_body(self) -> bytes:
        """What the client sends: the body with the presented signature under its name."""
        if self.is_form:
            return self.body + b"&" + urlencode({self.presented_as: self.presented}).encode()
        member = f",{json.dumps(self.presented_as)}:{json.dumps(self.presented)}}}"
        return self.body.removesuffix(b"}") + member.encode()

    def parse(self, body: bytes) -> dict[str, JsonValue]:
        return dict(parse_form(body)) if self.is_form else parse_body(body)


def _generated(rule: dict[str, Any]) -> str:
    raw = bytes((i * 31 + 7) % 256 for i in range(rule["byte_count"]))
    encoded = base64.b64encode(raw).decode()
    assert len(encoded) == rule["encoded_length"]
    assert encoded.startswith(rule["first_32"])
    assert encoded.endswith(rule["last_16"])
    return f"{rule['prefix']}{encoded}"


def _vector(entry: dict[str, Any]) -> Vector:
    for field, rule in entry.get("generate", {}).items():
        written = json.dumps(entry).replace(f"{{{{{field}}}}}", _generated(rule))
        entry = json.loads(written)
    params = json.loads(entry["params_text"], parse_float=NumberText, parse_int=NumberText)
    is_form = entry.get("content_type") == _FORM
    if is_form:
        params = {name: FormText(value) for name, value in params.items()}
    assert entry["canonical_string"].endswith(entry["private_key"])
    return Vector(
        name=entry["name"],
        body=(urlencode(params) if is_form else entry["params_text"]).encode(),
        is_form=is_form,
        params=params,
        file_params=entry["params"],
        canonical=entry["canonical_string"].removesuffix(entry["private_key"]),
        canonical_bytes=entry.get("canonical_length_bytes"),
        private_key=entry["private_key"],
        signature=entry["signature"],
        valid=entry["valid"],
        presented=entry.get("presented_signature", entry["signature"]),
        presented_as=entry.get("presented_as", "Signature"),
        public_key_known=entry.get("expect_ret_code") != 172,
        accepts=tuple(entry.get("accepts", ())),
        accepts_optional=tuple(entry.get("accepts_optional", ())),
    )


VECTORS: Final = [_vector(entry) for entry in cast("list[dict[str, Any]]", json.loads(_FILE.read_bytes()))]
