"""PICPIK's actions and errors, from the models and the table that requests and answers pass through."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cutgate.gateway.error_rows import row_of
from cutgate.gateway.openapi.models import without_null
from cutgate.gateway.picpik.actions import ACTIONS, Action
from cutgate.gateway.picpik.errors import NOT_FOUND_CODE, RAISED, ROWS, TASK_ROWS, task_row_for
from cutgate.gateway.picpik.openapi import picpik_section
from cutgate.gateway.picpik.requests import IGNORED
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs import errors as jobs
from docs.manual.advice import PICPIK_ADVICE, PICPIK_WHEN
from docs.manual.errors import by_row, when
from docs.manual.markdown import alike, code, items, one_line, summaries, summary
from docs.manual.rates import COUNTED

_ENVELOPE: Final = {"Action", "PublicKey", "Signature", "RetCode", "Message", "request_uuid"}
"""What every request or answer has; the page says it once."""
_TASK_ENVELOPE: Final = _ENVELOPE - {"Action"}
_Cells = tuple[str, ...]
_Shown = dict[_Cells, str]
"""By a row, the action that it was shown with first."""
_NOT_FOUND: Final = (
    f"**{NOT_FOUND_CODE}** `Task […] not found`",
    "No task of the account has the id, or its results have expired.",
)


def actions() -> str:
    """Every action with its fields and its answer."""
    limit = GatewaySettings.model_fields["max_batch_images"].default
    schemas = picpik_section(max_batch_images=limit).schemas
    shown: _Shown = {}
    return "\n\n".join(
        block for name, action in ACTIONS.items() for block in _action(name, action, schemas, shown)
    )


def errors() -> str:
    """What a request can be refused with."""
    raised = by_row(lambda kind: row_of(kind, RAISED, "fault"))
    grouped: dict[tuple[int, int, str], list[str]] = {}
    for key, row in ROWS.items():
        grouped.setdefault((row.ret_code, row.status, row.message.format(name="…")), []).append(key)
    return items(
        (_heading(*group), f"{when(grouped[group], PICPIK_WHEN, raised)} {PICPIK_ADVICE[group[:2]]}".strip())
        for group in sorted(grouped)
    )


def task_errors() -> str:
    """What a task can end with, or a picture of it."""
    plain = task_row_for(jobs.CutoutError.kind)
    kinds = by_row(lambda kind: row_of(kind, TASK_ROWS, plain))
    kinds[plain] = [jobs.ProcessingFailed]
    rows = [
        (f"**{row.error_code}** {code(row.message)}", summaries(kinds[row]))
        for row in sorted(kinds, key=lambda row: row.error_code)
    ]
    return items([_NOT_FOUND, *rows])


def _heading(ret_code: int, status: int, text: str) -> str:
    return f"**{ret_code}**{'' if status == 200 else f', HTTP {status}'}, {code(text)}"


def _action(name: str, action: Action[Any, Any], schemas: Mapping[str, Any], shown: _Shown) -> Iterator[str]:
    yield f"### {name}"
    yield f"{summary(action.handle)}{COUNTED[action.rate]}"
    yield from _once(name, "Field", _fields(schemas[f"{name}Request"]), shown)
    answer = schemas[f"{name}Answer"]
    yield from _once(name, "Answer", _answer_fields(answer, _ENVELOPE), shown)
    for member, schema in answer["properties"].items():
        if "$ref" in schema.get("items", {}):
            element = schemas[schema["items"]["$ref"].rpartition("/")[2]]
            yield from _once(name, f"In `{member}`", _answer_fields(element, _TASK_ENVELOPE), shown)


def _once(name: str, head: str, rows: Sequence[_Cells], shown: _Shown) -> Iterator[str]:
    """What no action before has shown, as a sentence or a list, and where the rest is."""
    fresh = [row for row in rows if shown.setdefault(row, name) == name]
    if fresh:
        told = [(f"{names} ({values})", meaning) for names, values, meaning in alike(fresh)]
        plural = "s" * (head == "Field" and len(fresh) > 1)
        if len(told) == 1:
            yield f"{head}: {'. '.join(told[0])}"
        else:
            yield from (f"{head}{plural}:", items(told))
    known: dict[str, list[str]] = {}
    for row in rows:
        if row not in fresh:
            known.setdefault(shown[row], []).append(row[0])
    for action, names in known.items():
        yield f"{head}{'s' * (len(names) > 1)} as in [{action}](#{action.lower()}): {', '.join(names)}."


def _fields(schema: Mapping[str, Any]) -> list[_Cells]:
    return [
        (code(name), _values(field) + _default(name, field, schema), one_line(field["description"]))
        for name, field in schema["properties"].items()
        if name not in _ENVELOPE | IGNORED
    ]


def _answer_fields(schema: Mapping[str, Any], hidden: set[str]) -> list[_Cells]:
    return [
        (code(name), _values(field), one_line(field["description"]))
        for name, field in schema["properties"].items()
        if name not in hidden
    ]


def _default(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if name in schema["required"]:
        return ", required"
    default = field.get("default")
    if default in (None, ""):
        return ""
    return f"; default {code(str(default).lower() if isinstance(default, bool) else default)}"


def _values(field: Mapping[str, Any]) -> str:
    """What a field may hold."""
    if "enum" in field:
        return ", ".join(map(code, field["enum"]))
    if field.get("type") == "array":
        return _array(field)
    if "minimum" in field:
        most = f" to {field['maximum']}" if "maximum" in field else " or more"
        return f"integer, {field['minimum']}{most}"
    return str(field.get("type", "object"))


def _array(field: Mapping[str, Any]) -> str:
    element = without_null(field["items"]).get("type", "object")
    least, most = field.get("minItems"), field.get("maxItems")
    if least is None:
        return f"array of {element}s"
    return f"array of {least if least == most else f'{least} to {most}'} {element}s"
