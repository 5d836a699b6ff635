"""Joins the parts into a document of OpenAPI 3.1.

An address that does several things is one operation of it, as the format wants, with an example of each. A page
that shows operations is better served by one for each: `by_call` splits them, under paths that differ behind a
`#`, which no client sends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cutgate.gateway.openapi.models import one_of
from cutgate.gateway.openapi.parts import Address, Call, Part, Schema, json_content, response

_ABOUT: Final = "A picture comes in, its subject comes out. A caller needs one protocol, and one kind of key."


def describe(parts: Sequence[Part]) -> Schema:
    """The document, as JSON values; addresses are relative to where it lies, whatever prefix a proxy adds."""
    paths = {address.path: {"post": _joined(part, address)} for part, address in _addresses(parts)}
    return _document(parts, paths, server="./")


def by_call(parts: Sequence[Part]) -> Schema:
    """The same for a page one folder below, with an operation for each call, and variables in its examples.

    `x-variables` has an example of each variable, an operation's `x-gives` where its answer holds the next value.
    """
    paths = {
        f"{address.path}#{call.name}": {"post": _single(part, address, call)}
        for part, address in _addresses(parts)
        for call in address.calls
    }
    variables = {variable.name: variable.example for part in parts for variable in part.variables}
    shown = [replace(part, paths=with_variables(part.paths, part)) for part in parts]
    return {**_document(shown, paths, server="../"), "x-variables": variables}


def with_variables(example: Any, part: Part) -> Any:
    """An example with `{{name}}` in the place of each variable, and without what is made anew."""
    if isinstance(example, Mapping):
        return {name: with_variables(value, part) for name, value in example.items() if name not in part.made}
    if isinstance(example, list):
        return [with_variables(value, part) for value in example]
    named = {variable.example: variable.name for variable in part.variables}
    return f"{{{{{named[example]}}}}}" if isinstance(example, str) and example in named else example


def _addresses(parts: Sequence[Part]) -> Iterator[tuple[Part, Address]]:
    return ((part, address) for part in parts for address in part.addresses)


def _document(parts: Sequence[Part], paths: Mapping[str, Schema], *, server: str) -> Schema:
    others = [{path: _tagged(part, item) for path, item in part.paths.items()} for part in parts]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutgate",
            "version": "1",
            "summary": "Background removal",
            "description": "\n\n".join(
                [_ABOUT, *(f"## {part.name}\n\n{part.text}" for part in parts if part.text)]
            ),
        },
        "servers": [{"url": server, "description": "This service"}],
        "tags": [{"name": part.name, "description": part.summary} for part in parts],
        "paths": _united([paths, *others]),
        "components": {
            "schemas": _united([part.schemas for part in parts]),
            "securitySchemes": _united([part.security_schemes for part in parts]),
        },
    }


def _united(mappings: Sequence[Mapping[str, Schema]]) -> dict[str, Schema]:
    """The members of several mappings, of which no two may share a name."""
    members = [member for mapping in mappings for member in mapping.items()]
    united = dict(members)
    if len(united) < len(members):
        raise ValueError(f"parts of the description share a name: {sorted(name for name, _ in members)}")
    return united


def _tagged(part: Part, item: Schema) -> Schema:
    return {method: {"tags": [part.name], **operation} for method, operation in item.items()}


def _joined(part: Part, address: Address) -> Schema:
    requests = {call.name: call.request["$ref"].rpartition("/")[2] for call in address.calls}
    answers = [call.answer for call in address.calls]
    examples = {call.name: {"summary": call.text, "value": call.example} for call in address.calls}
    frame = address.request_frame(one_of(requests, address.discriminator))
    return {
        **_operation(part, address),
        "operationId": address.operation,
        "summary": address.summary,
        "requestBody": {"required": True, "content": json_content(frame, examples=examples)},
        "responses": _responses(
            address, {"anyOf": [one for n, one in enumerate(answers) if one not in answers[:n]]}
        ),
    }


def _single(part: Part, address: Address, call: Call) -> Schema:
    content = json_content(address.request_frame(call.request), example=with_variables(call.example, part))
    return {
        **_operation(part, address),
        "operationId": call.name,
        "summary": call.text,
        "requestBody": {"required": True, "content": content},
        "responses": _responses(address, call.answer),
        "x-gives": {name: list(path) for name, path in call.gives.items()},
    }


def _operation(part: Part, address: Address) -> Schema:
    return {"tags": [part.name], "security": [dict(needed) for needed in address.security]}


def _responses(address: Address, answer: Schema) -> Schema:
    return {
        "200": response(address.refusals[200], address.answer_frame(answer)),
        **{
            str(status): response(text, address.refusal)
            for status, text in sorted(address.refusals.items())
            if status != 200
        },
    }
