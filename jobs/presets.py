"""Models by name and precision: what an account, a request or a worker's setting chooses."""

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cutgate.jobs.spec import Lane, ModelName, Precision, lane_for

DEFAULT_MODEL: Final = "isnet-general-use"


class Choice(BaseModel):
    """A model, and how exactly it is computed: what workers offer and items ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelName
    precision: Precision = Precision.EXACT

    @property
    def lane(self) -> Lane:
        """Where items that ask for it wait."""
        return lane_for(self.model, self.precision)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a preset's name, a model's, or both parts: `best`, `u2netp`, `isnet-general-use:fast`.

        Raises:
            ValueError: it is none of these.
        """
        if text in PRESETS:
            return cls(**PRESETS[text].model_dump())
        name, colon, precision = text.partition(":")
        given = {"model": name, "precision": precision} if colon else {"model": name}
        try:
            # A preset has its precision already.
            return cls.model_validate(given if name not in PRESETS else {})
        except ValidationError:
            forms = f"a preset ({', '.join(PRESETS)}), a model, or a model with its precision such as name:fast"
            raise ValueError(f"{text!r} must be {forms}") from None

    def __str__(self) -> str:
        return self.lane


PRESETS: Final = {
    "fast": Choice(model=DEFAULT_MODEL, precision=Precision.FAST),
    "exact": Choice(model=DEFAULT_MODEL),
    "best": Choice(model="birefnet-general"),
}
"""Choices that have a name of their own, the quickest first. `fast` and `exact` are the default model's."""


def parse_choices(text: str) -> tuple[Choice, ...]:
    """Read several, split by commas; what is named twice counts once.

    Raises:
        ValueError: one of them cannot be read.
    """
    parts = (part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(Choice.parse(part) for part in parts if part))
