"""Pydantic's validation errors in words for users, the same at every front."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_PHRASES: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "must be an integer"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be a string",
    **dict.fromkeys(("list_type", "tuple_type"), "must be an array"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
    **dict.fromkeys(("literal_error", "enum"), "must be {expected}"),
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} elements",
    "too_long": "must have at most {max_length} elements",
}
"""By pydantic's type of an error; formatted with its context."""
_BOUNDS: Final = frozenset({"greater_than_equal", "less_than_equal"})
_OWN_WORDS: Final = "Value error, "


def in_words(problem: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what is wrong with a field, in a phrase that follows the field's name.

    Args:
        problem: one of `ValidationError.errors()`, with its context.
        model: what the input was held to.

    Returns:
        Such as `is required`, `must be 0 to 40` or `must be an integer`. The words of our own validators stay.
    """
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _BOUNDS and len(problem["loc"]) == 1:
        bounds = dict(_bounds(model, problem["loc"][0]))
        if bounds.keys() == {"ge", "le"}:
            return f"must be {bounds['ge']} to {bounds['le']}"
    if kind in _PHRASES:
        return _PHRASES[kind].format_map(context)
    return problem["msg"].removeprefix(_OWN_WORDS)


def _bounds(model: type[BaseModel], name: int | str) -> Iterator[tuple[str, Any]]:
    """The bounds of a field, which a request may know by an alias."""
    for own_name, field in model.model_fields.items():
        if name in (own_name, field.alias):
            for mark in field.metadata:
                yield from ((bound, getattr(mark, bound)) for bound in ("ge", "le") if hasattr(mark, bound))
