"""How a verified body is held to an action's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cutgate.gateway.picpik import faults
from cutgate.gateway.picpik.fields import MAX_BATCH_IMAGES, WRONG_TYPE, Absent
from cutgate.gateway.picpik.requests import Request
from cutgate.signing import JsonValue, unflatten

ENVELOPE: Final = frozenset({"Action", "PublicKey"})
"""Names that were read before an action's own fields are looked at."""
IGNORED: Final = frozenset({"Region", "Zone", "ProjectId", "SecurityToken", "RemoveType"})
"""Names that some clients send with every call; signed, and without effect."""

_LOG: Final = structlog.get_logger()

_UNKNOWN, _MISSING, _TYPE, _VALUE = range(4)
"""Steps of the check, in their order; a fault of an earlier one is reported first."""
_STEPS: Final = {"extra_forbidden": _UNKNOWN, "missing": _MISSING, WRONG_TYPE: _TYPE}
_FAULTS: Final = {
    _UNKNOWN: faults.ParameterNotAvailable,
    _MISSING: faults.ParameterMissing,
    _TYPE: faults.ParameterOfWrongType,
    _VALUE: faults.ParameterNotAvailable,
}

R = TypeVar("R", bound=Request)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRules:
    """What settings say of the reading."""

    ignore_unknown: bool = False
    """Leave names out that the action does not know, instead of refusing them."""
    max_batch_images: int


def read_request(model: type[R], params: Mapping[str, JsonValue], rules: ReadingRules) -> R:
    """Hold verified parameters to an action's fields.

    Args:
        model: the action's fields.
        params: the parameters as received, without the signature; flattened names are rebuilt.
        rules: what settings say.

    Raises:
        ParameterFault: the first fault: unknown names, then required fields, types, and values, each in the order
            of the fields.
        FlattenedNamesRejected: members `Name.K` do not make an array.
    """
    marks = {field.alias or name: _mark(field) for name, field in model.model_fields.items()}
    arrays = [name for name, mark in marks.items() if mark and mark.empty == ()]
    own = unflatten({name: params[name] for name in params if name not in ENVELOPE | IGNORED}, arrays)
    unknown = [name for name in own if name not in marks]
    if unknown:
        _LOG.info("unknown fields", names=[name[: faults.SHOWN_CHARACTERS] for name in unknown[:16]])
    if rules.ignore_unknown:
        own = {name: value for name, value in own.items() if name in marks}
    sent = {name: value for name, value in own.items() if name in unknown or not _is_absent(marks[name], value)}
    try:
        return model.model_validate(sent, context={MAX_BATCH_IMAGES: rules.max_batch_images})
    except ValidationError as error:
        raise _first_fault(error, model) from None


def _mark(field: FieldInfo) -> Absent | None:
    return next((item for item in field.metadata if isinstance(item, Absent)), None)


def _is_absent(mark: Absent | None, value: JsonValue) -> bool:
    return value is None or (mark is not None and mark.covers(value))


def _first_fault(error: ValidationError, model: type[Request]) -> faults.ParameterFault:
    # A default's fault is found under the field's own name, any other under the name in the request.
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    order = {name: place for place, name in enumerate(aliases.values())}

    def path(fault: ErrorDetails) -> list[str]:
        head, *index = map(str, fault["loc"])
        return [aliases.get(head, head), *index]

    def rank(fault: ErrorDetails) -> tuple[int, int]:
        return _STEPS.get(fault["type"], _VALUE), order.get(path(fault)[0], len(order))

    first = min(error.errors(include_url=False, include_context=False, include_input=False), key=rank)
    return _FAULTS[rank(first)[0]](".".join(path(first)), first["msg"])
