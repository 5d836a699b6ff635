"""What an input may cost, and what a campaign found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SMALL_BYTES: Final = 2**20
"""An input up to this size may cost what follows; a longer one what the worker's own limits allow."""
SMALL_SECONDS: Final = 5.0
SMALL_GROWTH_BYTES: Final = 512 * 2**20
LARGE_SECONDS: Final = 20.0
LARGE_GROWTH_BYTES: Final = 2**30

Allowed = tuple[float, int]
"""Seconds, and bytes of memory, that an input may take."""


def usual(size_bytes: int) -> Allowed:
    """What most inputs of a size may take."""
    if size_bytes <= SMALL_BYTES:
        return SMALL_SECONDS, SMALL_GROWTH_BYTES
    return LARGE_SECONDS, LARGE_GROWTH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one input."""

    number: int
    """The input's own: with the seed and the campaign's name it makes the same input again."""
    size_bytes: int = 0
    seconds: float = 0.0
    """Of processor time where a process did nothing else, else of the clock."""
    growth_bytes: int = 0
    """Most memory that was held for it, beyond what was held before."""
    refused: bool = False
    """Whether it met an error that callers are told."""
    fault: str = ""
    """What it should not have met; empty otherwise."""
    allowed: Allowed | None = None
    """What it may take, where that is not the usual."""

    @property
    def faults(self) -> tuple[str, ...]:
        seconds, growth_bytes = self.allowed or usual(self.size_bytes)
        found = [self.fault] if self.fault else []
        if self.seconds > seconds:
            found.append(f"an input took more than {seconds:.2g} s")
        if self.growth_bytes > growth_bytes:
            found.append(f"an input took more than {growth_bytes // 2**20} MiB")
        return tuple(found)


class Findings:
    """What is found of one campaign as it goes on."""

    def __init__(self) -> None:
        self.inputs = 0
        self.refused = 0
        self.worst_seconds = 0.0
        self.worst_growth_bytes = 0
        self.faults: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        """The first input of each fault, in words."""
        self.numbers: list[int] = []
        """Inputs that met a fault, to be made again."""

    def add(self, outcome: Outcome) -> None:
        self.inputs += 1
        self.refused += outcome.refused
        self.worst_seconds = max(self.worst_seconds, outcome.seconds)
        self.worst_growth_bytes = max(self.worst_growth_bytes, outcome.growth_bytes)
        for fault in outcome.faults:
            facts = f"{outcome.size_bytes} bytes, {outcome.seconds:.1f} s, {outcome.growth_bytes / 2**20:.0f} MiB"
            self.blame(fault, f"input {outcome.number}: {facts}")
        if outcome.faults:
            self.numbers.append(outcome.number)

    def add_all(self, outcomes: Iterable[Outcome]) -> None:
        """Count inputs as they end."""
        for outcome in outcomes:
            self.add(outcome)

    def blame(self, fault: str, example: str = "") -> None:
        """Note a fault, also one that belongs to no single input."""
        self.faults[fault] += 1
        self.examples.setdefault(fault, example)

    def told(self) -> list[str]:
        """The faults, each with how often it was met and its first input."""
        return [f"{fault} ({times} x; {self.examples[fault]})" for fault, times in self.faults.most_common()]


HEADINGS: Final = (
    "Campaign",
    "Inputs",
    "Refused",
    "Seconds",
    "Worst time",
    "Worst memory",
    "Faults",
)


def row(name: str, findings: Findings, seconds: float) -> tuple[str, ...]:
    """A campaign's line of the report."""
    return (
        name,
        f"{findings.inputs:,}".replace(",", " "),
        f"{findings.refused:,}".replace(",", " "),
        f"{seconds:.0f}",
        f"{findings.worst_seconds:.2f} s",
        f"{findings.worst_growth_bytes / 2**20:.0f} MiB",
        str(findings.faults.total()),
    )
