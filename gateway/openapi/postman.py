"""A Postman collection, version 2.1: a folder for each part, a request for each call.

What changes from one request to the next is a variable; a request that makes a task remembers it for those that
ask about one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cutgate.gateway.openapi.document import with_variables
from cutgate.gateway.openapi.forms import FILE, MULTIPART, URLENCODED
from cutgate.gateway.openapi.parts import JSON, Address, Call, Part, Schema

_FORM: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_KEYS: Final = ("public_key", "private_key", "api_key")


def collection(parts: Sequence[Part], url: str) -> Schema:
    """The collection, as JSON values."""
    examples = {variable.name: variable.example for part in parts for variable in part.variables}
    # Those that begin with a dollar are Postman's own.
    values = {"url": url, **{name: value for name, value in examples.items() if not name.startswith("$")}}
    return {
        "info": {
            "name": "Cutgate",
            "schema": _FORM,
            "description": "Set `public_key` and `private_key`, or `api_key`, among the variables.",
        },
        "variable": [
            *({"key": name, "value": value} for name, value in values.items() if name not in _KEYS),
            *({"key": name, "value": "", "type": "secret"} for name in _KEYS),
        ],
        "item": [_folder(part) for part in parts],
    }


def _folder(part: Part) -> Schema:
    return {
        "name": part.name,
        "description": part.text or part.summary,
        "auth": _auth(part),
        "event": [_event("prerequest", part.postman_script)] if part.postman_script else [],
        "item": [
            *(
                _item(call.name, _post(address, call, part), call.gives)
                for address in part.addresses
                for call in address.calls
            ),
            *(
                item
                for path, methods in part.paths.items()
                if "{" not in path
                for method, operation in methods.items()
                for item in _items(path, method, operation, part)
            ),
        ],
    }


def _auth(part: Part) -> Schema:
    """How a part's callers prove who they are, where a header says it."""
    for scheme in part.security_schemes.values():
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


def _items(path: str, method: str, operation: Schema, part: Part) -> Iterator[Schema]:
    """A request for each form in which the body may come."""
    request = {"method": method.upper(), "url": _url(path), "header": []}
    if "requestBody" not in operation:
        yield _item(operation["summary"], request, {})
        return
    forms = operation["requestBody"]["content"]
    example = with_variables(forms[JSON]["example"], part)
    for media_type, form in forms.items():
        mode = {MULTIPART: "formdata", URLENCODED: "urlencoded"}.get(media_type)
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


def _post(address: Address, call: Call, part: Part) -> Schema:
    request = {"method": "POST", "url": _url(address.path), "description": call.text}
    return {**request, **_json_body(with_variables(call.example, part))}


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
