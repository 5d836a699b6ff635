"""The options of `python -m cutgate.gateway keys` that set an account's terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import click

from cutgate.gateway.accounts.records import Terms
from cutgate.jobs.spec import PRESETS, Precision

Term = int | str | None
"""An account's term as click reads it."""

Command = TypeVar("Command", bound=Callable[..., Any])

_AS_SET_UP: Final = "default"
"""Stands among the presets for what the installation computes."""
_CHOICE: Final = frozenset({"model", "precision"})


def terms_options(command: Command) -> Command:
    """Options for each of an account's terms, named as its fields, and for presets of them."""
    presets = "; ".join(f"{name} is {choice}" for name, choice in PRESETS.items())
    for option in (
        click.option(
            "--preset",
            type=click.Choice([*PRESETS, _AS_SET_UP]),
            help=f"Both at once: {presets}; {_AS_SET_UP} forgets what was set.",
        ),
        click.option(
            "--precision",
            type=click.Choice([str(precision) for precision in Precision]),
            help="How exactly its pictures are computed; workers must offer it.",
        ),
        click.option(
            "--model", help="What computes its pictures, in full precision unless told; workers must offer it."
        ),
        _count("upload_bytes", "Bytes that its uploaded pictures may have together."),
        _count("upload_cap", "Uploaded pictures that it may have."),
        _count("queue_cap", "Pictures of it that may wait or run."),
        _count("polls_per_second", "Other requests in a second."),
        _count("submits_per_second", "Requests with pictures in a second."),
        click.option(
            "--price", "price_credits", type=click.IntRange(min=0), metavar="N", help="Credits for one picture."
        ),
    ):
        command = option(command)
    return command


def _count(name: str, text: str) -> Callable[[Command], Command]:
    return click.option(f"--{name.replace('_', '-')}", name, type=click.IntRange(min=1), metavar="N", help=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChange:
    """What these options ask for."""

    given: Terms
    forgotten: frozenset[str]
    """Terms that were set before and are to be as the settings say."""

    @classmethod
    def of(cls, options: Mapping[str, Term]) -> Self:
        """Read the options' values."""
        terms = dict(options)
        preset = terms.pop("preset")
        if preset is not None and (terms["model"] or terms["precision"]):
            raise click.UsageError("--preset says model and precision: it takes neither --model nor --precision")
        if terms["model"] in PRESETS:
            raise click.UsageError(f"{terms['model']} is a preset: use --preset")
        # Another model need not be there in the precision that was set for the one before.
        forgotten = _CHOICE if preset is not None or terms["model"] else frozenset()
        if preset in PRESETS:
            terms |= PRESETS[str(preset)].model_dump()
        try:
            return cls(given=Terms.model_validate(terms), forgotten=forgotten)
        except ValueError:
            # Of all these only the model is free text.
            raise click.BadParameter("use letters, digits and . _ -, 64 at most", param_hint="--model") from None

    def __bool__(self) -> bool:
        return bool(self.forgotten) or self.given != Terms()
