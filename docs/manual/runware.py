"""Runware's tasks and errors, from the models and the table that requests and answers pass through."""

import re
from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cutgate.gateway.error_rows import row_of
from cutgate.gateway.runware.messages import requests
from cutgate.gateway.runware.messages.errors import FAILED, RAISED, ROWS, TASK_ROWS, Row
from cutgate.gateway.runware.messages.fields import WRONG
from cutgate.gateway.runware.tasks.actions import ACTIONS
from cutgate.gateway.runware.tasks.submitting import DEFAULTS
from cutgate.jobs import errors as jobs
from docs.manual.advice import RUNWARE_ADVICE, RUNWARE_WHEN
from docs.manual.errors import Kinds, by_row, when
from docs.manual.markdown import alike, code, items, one_line, summaries, summary
from docs.manual.rates import COUNTED

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
        form = ACTIONS[name].form
        if form is requests.Removal:
            continue
        blocks += [f"### {name}", f"{summary(action.handle)}{COUNTED[action.rate]}"]
        if form.model_fields:
            blocks.append(_fields(form, form.model_fields))
    return "\n\n".join(blocks)


def errors() -> str:
    """What a task or a request can be refused with."""
    raised = by_row(lambda kind: row_of(kind, RAISED, "fault"))
    grouped: dict[str, list[str]] = {}
    for key in sorted(ROWS, key=lambda key: (ROWS[key].status, _shown(ROWS[key]))):
        grouped.setdefault(_shown(ROWS[key]), []).append(key)
    return items(
        (_heading(name, keys), f"{when(keys, RUNWARE_WHEN, raised)} {RUNWARE_ADVICE[name]}".strip())
        for name, keys in grouped.items()
    )


def task_errors() -> str:
    """What an accepted task can end with."""
    plain = row_of(jobs.CutoutError, TASK_ROWS, FAILED)
    kinds = by_row(lambda kind: row_of(kind, TASK_ROWS, plain))
    kinds[plain] = [jobs.ProcessingFailed]
    return items((_ending(row), _when_later(kinds[row], row)) for row in sorted(kinds, key=lambda row: row.code))


def _ending(row: Row) -> str:
    text = row.message.format(reason="…")
    return code(row.code) if text == "…" else f"{code(row.code)}, {code(text)}"


def _heading(name: str, keys: Iterable[str]) -> str:
    """A code and the statuses that it comes with, but for the usual one."""
    statuses = dict.fromkeys(int(ROWS[key].status) for key in keys)
    return code(name) if list(statuses) == [_USUAL] else f"{code(name)} ({', '.join(map(str, statuses))})"


def _when_later(kinds: Kinds, row: Row) -> str:
    """When a task ends so; what a request is refused with under the same code, the table above says."""
    fresh = [kind for kind in kinds if ROWS[row_of(kind, RAISED, "fault")].code != row.code]
    return f"As for a request. {summaries(fresh)}".strip() if len(fresh) < len(kinds) else summaries(fresh)


def _shown(row: Row) -> str:
    return row.code.format(word="<Field>")


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
