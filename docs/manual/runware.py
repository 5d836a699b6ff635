"""Runware's tasks and errors, from the models and the table that requests and answers pass through."""

import re
from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cutgate.gateway.error_rows import spelt_out
from cutgate.gateway.runware.http.openapi import FORMS
from cutgate.gateway.runware.messages import requests
from cutgate.gateway.runware.messages.errors import ROWS as _ROWS
from cutgate.gateway.runware.messages.errors import TASK_ROWS, Row, row_for
from cutgate.gateway.runware.messages.fields import WRONG
from cutgate.gateway.runware.tasks.actions import ACTIONS
from cutgate.gateway.runware.tasks.submitting import DEFAULTS
from cutgate.jobs import errors as jobs
from docs.manual.advice import RUNWARE_ADVICE
from docs.manual.errors import leaves
from docs.manual.markdown import alike, code, items, message, one_line, summaries, summary
from docs.manual.rates import COUNTED

ROWS: Final = spelt_out(_ROWS)
_USUAL: Final = 400
"""The HTTP status of most refusals."""
_REFUSAL: Final = re.compile(r"^must be (one of |an integer (from|of) |an? )?|^is not usable: a URL is ")
"""How the server's sentences on wrong values begin."""


def removal() -> str:
    """The fields of a removal, but for its settings."""
    own = [name for name in requests.Removal.model_fields if name not in requests.Settings.model_fields]
    return _fields(requests.Removal, own)


def settings() -> str:
    """The settings of a removal."""
    return _fields(requests.Settings, requests.Settings.model_fields)


def companions() -> str:
    """The other tasks."""
    blocks: list[str] = []
    for name, action in ACTIONS.items():
        form = FORMS[name]
        if form is requests.Removal:
            continue
        blocks += [f"### {name}", f"{summary(action.handle)}{COUNTED[action.rate]}"]
        if form.model_fields:
            blocks.append(_fields(form, form.model_fields))
    return "\n\n".join(blocks)


def errors() -> str:
    """What a task or a request can be refused with."""
    grouped: dict[str, list[type[Exception]]] = {}
    fault = row_for(Exception())
    for kind in sorted(leaves(ROWS), key=lambda kind: (ROWS[kind].status, _shown(ROWS[kind]))):
        grouped.setdefault(_shown(ROWS[kind]), []).append(kind)
    return items(
        (_heading(name, kinds), f"{_when(kinds, fault)} {RUNWARE_ADVICE[name]}".strip())
        for name, kinds in grouped.items()
    )


def task_errors() -> str:
    """What an accepted task can end with."""
    plain = TASK_ROWS[jobs.CutoutError.kind]
    grouped: dict[Row, list[type[Exception]]] = {plain: [jobs.ProcessingFailed]}
    for kind in leaves(ROWS):
        if issubclass(kind, jobs.CutoutError) and TASK_ROWS[kind.kind] != plain:
            grouped.setdefault(TASK_ROWS[kind.kind], []).append(kind)
    return items(
        (_ending(row), _when_later(grouped[row], row)) for row in sorted(grouped, key=lambda row: row.code)
    )


def _ending(row: Row) -> str:
    text = message(row.message)
    return code(row.code) if text == "…" else f"{code(row.code)}, {code(text)}"


def _heading(name: str, kinds: Iterable[type[Exception]]) -> str:
    """A code and the statuses that it comes with, but for the usual one."""
    statuses = dict.fromkeys(int(ROWS[kind].status) for kind in kinds)
    return code(name) if list(statuses) == [_USUAL] else f"{code(name)} ({', '.join(map(str, statuses))})"


def _when_later(errors_of_row: list[type[Exception]], row: Row) -> str:
    """When a task ends so; what a request is refused with under the same code, the table above says."""
    fresh = [kind for kind in errors_of_row if ROWS[kind].code != row.code]
    return f"As for a request. {summaries(fresh)}".strip() if len(fresh) < len(errors_of_row) else summaries(fresh)


def _when(errors_of_row: list[type[Exception]], fault: Row) -> str:
    if ROWS[errors_of_row[0]] == fault:
        return "The server made a mistake; its log says which."
    return summaries(errors_of_row)


def _shown(row: Row) -> str:
    return row.code.replace("{error.word}", "<Field>")


def _fields(form: type[requests.Fields], names: Iterable[str]) -> str:
    described = {field.alias or name: field for name, field in form.model_fields.items() if name in names}
    rows = [
        (code(name), _values(form, name) + _default(name, field), one_line(field.description))
        for name, field in described.items()
    ]
    return items((f"{names} ({values})", meaning) for names, values, meaning in alike(rows))


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return ", required"
    default = DEFAULTS.get(name, field.default)
    if default is None:
        return ""
    if isinstance(default, tuple):
        default = ", ".join(map(str, default)) if isinstance(default[0], str) else list(default)
    return f"; default {code(str(default).lower() if isinstance(default, bool) else default)}"


def _values(form: type[requests.Fields], name: str) -> str:
    """What a field takes, in the words that the server refuses all else with: nothing says it closer."""
    try:
        form.model_validate({name: object()})
    except ValidationError as error:
        [problem] = (found for found in error.errors(include_url=False) if found["loc"] == (name,))
    return _REFUSAL.sub("", problem["msg"]) if problem["type"] == WRONG else "object"
