"""Schedules: drawn from a seed, played, and made short where one fails."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis

from cutgate.jobs.redis_client import connect
from tests.servers.redis_server import redis_server
from tests.simulator.events import EVENTS
from tests.simulator.play import Played, Step, play

LENGTH: Final = 160
_MOST_TRIES: Final = 200


@dataclass(frozen=True)
class Ended:
    """What came of playing seeds."""

    seeds: int
    steps: int
    seed: int | None = None
    """The one that failed."""
    violation: str = ""
    log: Sequence[str] = ()
    """What happened in the schedule made short."""
    length: int = 0
    seconds: float = 0.0
    """Until it failed."""

    @property
    def found(self) -> bool:
        return self.seed is not None

    @property
    def told(self) -> str:
        if not self.found:
            return f"{self.seeds} schedules, {self.steps} events: nothing found"
        lines = [
            f"seed {self.seed} after {self.seeds} schedules, {self.seconds:.1f} s: {self.violation}",
            f"{self.length} events:",
            *self.log,
        ]
        return "\n  ".join(lines)


def drawn(seed: int) -> list[Step]:
    """The schedule of a seed."""
    rng = random.Random(seed)
    kinds = rng.choices([*EVENTS], [event.weight for event in EVENTS.values()], k=LENGTH)
    return [Step(kind, rng.randrange(10**6)) for kind in kinds]


def run_seeds(
    first: int, goes_on: Callable[[int], bool], binary: Path | None = None, *, shortens: bool = True
) -> Ended:
    """Play one seed after the other, on a server of their own, until one fails or it is enough."""
    with redis_server(binary=binary) as url, connect(url) as client, connect(f"{url}?db=1") as other:
        count, began = 0, time.monotonic()
        while goes_on(count):
            seed, schedule = first + count, drawn(first + count)
            count += 1
            played = play(client, other, seed, schedule)
            if played.violation:
                seconds = time.monotonic() - began
                if shortens:
                    schedule, played = shortened(client, other, seed, schedule, played)
                return Ended(count, count * LENGTH, seed, played.violation, played.log, len(schedule), seconds)
    return Ended(count, count * LENGTH)


def shortened(
    client: Redis, other: Redis, seed: int, schedule: list[Step], played: Played
) -> tuple[list[Step], Played]:
    """Leave out events as long as a rule is still violated: halves first, single ones last."""
    settles, tries = played.events == len(schedule), 0
    schedule = schedule[: played.events + 1]
    size = len(schedule) // 2
    while size and tries < _MOST_TRIES:
        begin = 0
        while begin < len(schedule) and tries < _MOST_TRIES:
            less, tries = schedule[:begin] + schedule[begin + size :], tries + 1
            again = play(client, other, seed, less, settles=settles)
            if again.violation:
                schedule, played = less[: again.events + 1], again
            else:
                begin += size
        size //= 2
    return schedule, played
