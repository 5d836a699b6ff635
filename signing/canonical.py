"""Parameters → canonical string: the text that is signed, before the private key is put behind it.

Published signers write some numbers in different ways and differ about null, so one body has several accepted
texts. Each way is a `Form`, applied to the whole body; forms are data, and `verify` loops over them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from cutgate.signing.errors import NonFiniteNumber
from cutgate.signing.jsontext import NumberText

SIGNATURE: Final = "Signature"
"""The top-level member that is never part of the text."""

Signable: TypeAlias = "str | bool | int | float | Sequence[Signable] | Mapping[str, Signable] | None"
"""A value as a client holds it, or as `parse_body` gives it; a sequence is a list or a tuple, as in `json`."""

_INT64: Final = range(-(2**63), 2**63)
# Go's shortest `%g`: an exponent is written where the decimal exponent is outside this range.
_GO_PLAIN_EXPONENTS: Final = range(-4, 6)


def canonical_number(number: NumberText) -> str:
    """The exact value in plain notation: no exponent, no zero fraction, no trailing zeros, `-0` as `0`."""
    plain = format(Decimal(number), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def _literal_number(number: NumberText) -> str:
    return number


def _go_number(number: NumberText) -> str:
    """The number as the published Go signer writes it, once its language has read it as int64 or float64.

    The only place that goes through a double, because that signer does.
    """
    plain = canonical_number(number)
    if "." not in plain and int(plain) in _INT64:
        return plain
    double = float(number)
    if math.isinf(double):
        return plain  # Go cannot read such a number, so it signs none.
    shortest = Decimal(repr(double))
    if shortest.is_zero() or shortest.adjusted() in _GO_PLAIN_EXPONENTS:
        return canonical_number(NumberText(repr(double)))
    digits = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    return f"{double:.{len(digits) - 1}e}"


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing a whole body."""

    name: str
    number: Callable[[NumberText], str]
    """The text of a number."""
    skips_nulls: bool
    """Whether a member that is null is left out with its name; otherwise its name stands alone."""


CANONICAL: Final = Form("canonical numbers, nulls kept", canonical_number, skips_nulls=False)
"""The form that clients sign."""

REQUIRED_FORMS: Final = (
    CANONICAL,
    Form("canonical numbers, nulls skipped", canonical_number, skips_nulls=True),
    Form("literal numbers, nulls kept", _literal_number, skips_nulls=False),
    Form("literal numbers, nulls skipped", _literal_number, skips_nulls=True),
)
"""What every server accepts."""

GO_FORMS: Final = (
    Form("Go numbers, nulls kept", _go_number, skips_nulls=False),
    Form("Go numbers, nulls skipped", _go_number, skips_nulls=True),
)
"""What the published Go signer gives where its text differs from the number that it sends."""


def canonical_pieces(params: Mapping[str, Signable], form: Form = CANONICAL) -> Iterator[str]:
    """The canonical string in pieces that refer to the values' own text, so that no picture is copied.

    Args:
        params: a request's parameters; the top-level `Signature` is left out, a nested one is data.
        form: how numbers and nulls are written.

    Yields:
        Names and values' texts in the order of signing, none of them empty.

    Raises:
        NonFiniteNumber: a float is NaN or infinite.
        NumberOutOfBounds: a number is over the limits of `NumberText`.
        TypeError: a value has no JSON form.
    """
    unsigned = {name: value for name, value in params.items() if name != SIGNATURE}
    return filter(None, _object_pieces(unsigned, form))


def canonical_string(params: Mapping[str, Signable], form: Form = CANONICAL) -> str:
    """The canonical string in one piece; see `canonical_pieces`. It holds no key and may be logged."""
    return "".join(canonical_pieces(params, form))


def _object_pieces(members: Mapping[str, Signable], form: Form) -> Iterator[str]:
    # Python compares strings by code points, which is the protocol's order.
    for name in sorted(members):
        value = members[name]
        if value is None and form.skips_nulls:
            continue
        yield name
        # Most values are text, and an exact type is told far quicker than what a Mapping is.
        if type(value) is str:
            yield value
        else:
            yield from _pieces(value, form)


def _pieces(value: Signable, form: Form) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _object_pieces(value, form)
    elif isinstance(value, (list, tuple)):
        for element in value:
            yield from _pieces(element, form)
    else:
        yield _scalar(value, form)


def _scalar(value: object, form: Form) -> str:
    # The order matters: a NumberText is a str, and a bool is an int.
    if isinstance(value, NumberText):
        return form.number(value)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return form.number(NumberText(int.__repr__(value)))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NonFiniteNumber(repr(value))
        return form.number(NumberText(float.__repr__(value)))
    raise TypeError(f"a {type(value).__name__} has no JSON form")
