"""The same parts as a collection of Postman's, version 2.1: a folder for each, a request for each call.

What changes from one request to the next is a variable; a request that makes a task remembers it for those that
ask about one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cutgate.gateway.openapi.document import with_variables
from cutgate.gateway.openapi.parts import Address, Call, Part, Schema

_FORM: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_KEYS: Final = ("public_key", "private_key", "api_key")


def collection(parts: Sequence[Part], url: str) -> Schema:
    """The collection, as JSON values.

    Args:
        parts: what the service consists of.
        url: where it is, without a slash at its end.
    """
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
                _item(operation["summary"], {"method": method.upper(), "url": _url(path), "header": []}, {})
                for path, item in part.paths.items()
                for method, operation in item.items()
                if "requestBody" not in operation and "{" not in path
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
    body: Any = with_variables(call.example, part)
    return {
        "method": "POST",
        "url": _url(address.path),
        "description": call.text,
        "header": [{"key": "Content-Type", "value": "application/json"}],
        "body": {
            "mode": "raw",
            "raw": json.dumps(body, indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        },
    }


def _url(path: str) -> Schema:
    return {
        "raw": f"{{{{url}}}}{path}",
        "host": ["{{url}}"],
        "path": path.strip("/").split("/") if path != "/" else [""],
    }
