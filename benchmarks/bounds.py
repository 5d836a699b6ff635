"""What a figure is to reach."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure that must not be passed, from one side or the other."""

    value: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure keeps to it."""
        return value >= self.value if self.at_least else value <= self.value

    def text(self, form: str) -> str:
        """For a person, with the number in a form such as `.2f`."""
        return f"{'≥' if self.at_least else '≤'} {self.value:{form}}"


def at_most(value: float) -> Bound:
    """A figure that is better when it is lower."""
    return Bound(value)


def at_least(value: float) -> Bound:
    """A figure that is better when it is higher."""
    return Bound(value, at_least=True)


def verdict(*, met: bool) -> str:
    return "pass" if met else "falls short"
