"""PICPIK's request signature: parse, canonical form, sign, verify. Standard library only, no I/O.

A server parses the body, takes the signature out, and verifies what is left; a client signs its parameters:

    rest, presented = take_signature(parse_body(body))
    genuine = presented is not None and verify(rest, presented, [private_key])

    params["Signature"] = sign_params(params, private_key)

`python -m cutgate.signing` signs a JSON file.
"""

from cutgate.signing.canonical import (
    GO_FORMS,
    REQUIRED_FORMS,
    Form,
    Signable,
    canonical_number,
    canonical_pieces,
    canonical_string,
)
from cutgate.signing.errors import (
    BodyRejected,
    DuplicateName,
    FlattenedNamesRejected,
    FormRejected,
    LoneSurrogate,
    NonFiniteNumber,
    NotAnObject,
    NotJson,
    NumberOutOfBounds,
    SigningError,
    TooDeep,
    TooManyValues,
)
from cutgate.signing.flat import unflatten
from cutgate.signing.forms import FormText, form_fields, parse_form
from cutgate.signing.jsontext import JsonValue, NumberText, dump_body, parse_body, parse_value
from cutgate.signing.picpik import sign, sign_params, take_signature, verify

__all__ = [
    "GO_FORMS",
    "REQUIRED_FORMS",
    "BodyRejected",
    "DuplicateName",
    "FlattenedNamesRejected",
    "Form",
    "FormRejected",
    "FormText",
    "JsonValue",
    "LoneSurrogate",
    "NonFiniteNumber",
    "NotAnObject",
    "NotJson",
    "NumberOutOfBounds",
    "NumberText",
    "Signable",
    "SigningError",
    "TooDeep",
    "TooManyValues",
    "canonical_number",
    "canonical_pieces",
    "canonical_string",
    "dump_body",
    "form_fields",
    "parse_body",
    "parse_form",
    "parse_value",
    "sign",
    "sign_params",
    "take_signature",
    "unflatten",
    "verify",
]
