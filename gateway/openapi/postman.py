"""A Postman collection, version 2.1: a folder for each part, a request for each call.

What changes from one request to the next is a variable; a request that makes a task remembers it for those that
ask about one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cutgate.gateway.openapi.parts import FILE, JSON, MULTIPART, URLENCODED, ApiSection, Schema

_FORM: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_MODES: Final = {MULTIPART: "formdata", URLENCODED: "urlencoded"}
_KEYS: Final = ("public_key", "private_key", "api_key")


def collection(sections: Sequence[ApiSection], document: Schema, url: str) -> Schema:
    """The collection, as JSON values, made of the document `by_call` and of where the service is."""
    # Those that begin with a dollar are Postman's own.
    examples = {name: value for name, value in document["x-variables"].items() if not name.startswith("$")}
    return {
        "info": {
            "name": "Cutgate",
            "schema": _FORM,
            "description": "Set `public_key` and `private_key`, or `api_key`, among the variables.",
        },
        "variable": [
            *(
                {"key": name, "value": value}
                for name, value in {"url": url, **examples}.items()
                if name not in _KEYS
            ),
            *({"key": name, "value": "", "type": "secret"} for name in _KEYS),
        ],
        "item": [_folder(section, document["paths"]) for section in sections],
    }


def _folder(section: ApiSection, paths: Mapping[str, Schema]) -> Schema:
    return {
        "name": section.name,
        "description": section.text or section.summary,
        "auth": _auth(section),
        "event": [_event("prerequest", section.postman_script)] if section.postman_script else [],
        "item": [
            item
            for path, methods in paths.items()
            if "{" not in path
            for method, operation in methods.items()
            if section.name in operation["tags"]
            for item in _items(path.partition("#")[0], method, operation)
        ],
    }


def _auth(section: ApiSection) -> Schema:
    """How a part's callers prove who they are, where a header says it."""
    for scheme in section.security_schemes.values():
        if scheme["type"] == "http":
            return {"type": "bearer", "bearer": [_attribute("token", "{{api_key}}")]}
        members = {"key": scheme["name"], "value": "{{api_key}}", "in": scheme["in"]}
        return {"type": "apikey", "apikey": [_attribute(name, value) for name, value in members.items()]}
    return {"type": "noauth"}


def _attribute(name: str, value: str) -> Schema:
    return {"key": name, "value": value, "type": "string"}


def _item(name: str, request: Schema, gives: Mapping[str, Sequence[str | int]]) -> Schema:
    lines = [line for variable, path in gives.items() for line in _remembering(variable, path)]
    return {"name": name, "request": request, "event": [_event("test", "\n".join(lines))] if lines else []}


def _items(path: str, method: str, operation: Schema) -> Iterator[Schema]:
    """A request for each form in which the body may come."""
    request: Schema = {"method": method.upper(), "url": _url(path)}
    forms = operation.get("requestBody", {}).get("content", {})
    if "x-gives" in operation:
        body = _json_body(forms[JSON]["example"])
        described = {**request, "description": operation["summary"], **body}
        yield _item(operation["operationId"], described, operation["x-gives"])
        return
    request["header"] = []
    if not forms:
        yield _item(operation["summary"], request, {})
    for media_type, form in forms.items():
        mode, example = _MODES.get(media_type), forms.get(JSON, {}).get("example", {})
        fields = form["schema"]["properties"]
        body = {"body": {"mode": mode, mode: _form_fields(fields, example)}} if mode else _json_body(example)
        yield _item(f"{operation['summary']}: {media_type}", {**request, **body}, {})


def _form_fields(fields: Mapping[str, Schema], example: Mapping[str, str]) -> list[Schema]:
    """The fields of a form, of which the first is sent, and others when they are ticked."""
    return [
        {
            "key": name,
            **(
                {"type": "file", "src": []}
                if field == FILE
                else {"type": "text", "value": _shown(name, field, example)}
            ),
            "description": field.get("description", ""),
            "disabled": number > 0,
        }
        for number, (name, field) in enumerate(fields.items())
    ]


def _shown(name: str, field: Schema, example: Mapping[str, str]) -> str:
    """What stands in a field of a form at first."""
    value = example.get(name, field.get("default", ""))
    return value if isinstance(value, str) else json.dumps(value)


def _remembering(variable: str, path: Sequence[str | int]) -> list[str]:
    """JavaScript that keeps what an answer holds."""
    member = "".join(f"?.[{json.dumps(step)}]" for step in path)
    return [
        f"const {variable} = pm.response.json(){member};",
        f"if ({variable}) pm.collectionVariables.set({json.dumps(variable)}, {variable});",
    ]


def _event(when: str, script: str) -> Schema:
    return {"listen": when, "script": {"type": "text/javascript", "exec": script.splitlines()}}


def _json_body(value: Any) -> Schema:
    """The members of a request that has a body in JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return {
        "header": [{"key": "Content-Type", "value": JSON}],
        "body": {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}},
    }


def _url(path: str) -> Schema:
    return {
        "raw": f"{{{{url}}}}{path}",
        "host": ["{{url}}"],
        "path": path.strip("/").split("/") if path != "/" else [""],
    }
