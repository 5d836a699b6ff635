"""Joins the sections into a document of OpenAPI 3.1.

An endpoint that does several things is one operation of it, as the format wants, with an example of each. A page
that shows operations is better served by one for each: `by_call` splits them, under paths that differ behind a
`#`, which no client sends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cutgate.gateway.openapi.models import one_of
from cutgate.gateway.openapi.parts import ApiSection, Call, Endpoint, Schema, event_content, json_content, response

_ABOUT: Final = "A picture comes in, its subject comes out. A caller needs one protocol, and one kind of key."


def describe(sections: Sequence[ApiSection]) -> Schema:
    """The document, as JSON values; addresses are relative to where it lies, whatever prefix a proxy adds."""
    paths = [{s.endpoint.path: {"post": _joined(s.endpoint)}} if s.endpoint else {} for s in sections]
    return _document(sections, paths, server="./")


def by_call(sections: Sequence[ApiSection]) -> Schema:
    """The document for a page one folder below: an operation for each call, and variables in the examples.

    `x-variables` has an example of each variable, an operation's `x-gives` where its answer holds the next value.
    """
    paths = [
        {f"{s.endpoint.path}#{call.name}": {"post": _single(s, s.endpoint, call)} for call in s.endpoint.calls}
        if s.endpoint
        else {}
        for s in sections
    ]
    shown = [replace(section, paths=_with_variables(section.paths, section)) for section in sections]
    variables = {name: example for section in sections for name, example in section.variables.items()}
    return {**_document(shown, paths, server="../"), "x-variables": variables}


def _with_variables(example: Any, section: ApiSection) -> Any:
    """An example with `{{name}}` in the place of each variable, and without what is made anew."""
    if isinstance(example, Mapping):
        members = ((name, value) for name, value in example.items() if name not in section.made)
        return {name: _with_variables(value, section) for name, value in members}
    if isinstance(example, list):
        return [_with_variables(value, section) for value in example]
    named = {value: name for name, value in section.variables.items()}
    return f"{{{{{named[example]}}}}}" if isinstance(example, str) and example in named else example


def _document(sections: Sequence[ApiSection], calls: Sequence[Mapping[str, Schema]], *, server: str) -> Schema:
    texts = [f"## {section.name}\n\n{section.text}" for section in sections if section.text]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cutgate",
            "version": "1",
            "summary": "Background removal",
            "description": "\n\n".join([_ABOUT, *texts]),
        },
        "servers": [{"url": server, "description": "This service"}],
        "tags": [{"name": section.name, "description": section.summary} for section in sections],
        "paths": _united(
            [
                *map(_tagged, sections, calls),
                *(_tagged(section, section.paths) for section in sections),
            ]
        ),
        "components": {
            "schemas": _united([section.schemas for section in sections]),
            "securitySchemes": _united([section.security_schemes for section in sections]),
        },
    }


def _united(mappings: Sequence[Mapping[str, Schema]]) -> dict[str, Schema]:
    """The members of several mappings, of which no two may share a name."""
    members = [member for mapping in mappings for member in mapping.items()]
    united = dict(members)
    if len(united) < len(members):
        raise ValueError(f"sections of the description share a name: {sorted(name for name, _ in members)}")
    return united


def _tagged(section: ApiSection, paths: Mapping[str, Schema]) -> dict[str, Schema]:
    return {
        path: {method: {"tags": [section.name], **operation} for method, operation in item.items()}
        for path, item in paths.items()
    }


def _joined(endpoint: Endpoint) -> Schema:
    requests = {call.name: call.request["$ref"].rpartition("/")[2] for call in endpoint.calls}
    answers = [call.answer for call in endpoint.calls]
    examples = {call.name: {"summary": call.text, "value": call.example} for call in endpoint.calls}
    return {
        "security": endpoint.security,
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        **_body(endpoint, one_of(requests, endpoint.discriminator), examples=examples),
        "responses": _responses(
            endpoint,
            {"anyOf": [one for n, one in enumerate(answers) if one not in answers[:n]]},
            next((call.event for call in endpoint.calls if call.event), None),
        ),
    }


def _single(section: ApiSection, endpoint: Endpoint, call: Call) -> Schema:
    return {
        "security": endpoint.security,
        "operationId": call.name,
        "summary": call.text,
        **_body(endpoint, call.request, example=_with_variables(call.example, section)),
        "responses": _responses(endpoint, call.answer, call.event),
        "x-gives": call.gives,
    }


def _body(endpoint: Endpoint, request: Schema, **examples: Any) -> Schema:
    return {
        "requestBody": {"required": True, "content": json_content(endpoint.request_frame(request), **examples)}
    }


def _responses(endpoint: Endpoint, answer: Schema, event: Schema | None) -> Schema:
    refusals = {str(status): response(text, endpoint.refusal) for status, text in endpoint.refusals.items()}
    success = response(endpoint.success, endpoint.answer_frame(answer))
    if event is not None:
        success["content"] |= event_content(event)
    return {"200": success, **refusals}
