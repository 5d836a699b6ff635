"""Calls timed in turn, so that their ratios hold on a machine that is busy."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: seconds on the clock, and of all processors together."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Samples of each call, by name; the n-th of every call are of one round."""

    samples: Mapping[str, Sequence[Sample]]

    def least_seconds(self, name: str) -> float:
        """The quietest round's."""
        return min(sample.seconds for sample in self.samples[name])

    def least_cpu_seconds(self, name: str) -> float:
        """Of all processors together, in the cheapest round."""
        return min(sample.cpu_seconds for sample in self.samples[name])

    def ratio(self, name: str, base: str) -> float:
        """Median of the rounds' ratios: what slows a whole round down cancels."""
        rounds = zip(self.samples[name], self.samples[base], strict=True)
        return median(above.seconds / below.seconds for above, below in rounds)


def timed(call: Callable[[], object]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Sample(time.perf_counter() - wall, time.process_time() - cpu)


def in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> Timings:
    """Call each once unmeasured, then all of them in every round."""
    for call in calls.values():
        call()
    samples: dict[str, list[Sample]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            samples[name].append(timed(call))
    return Timings(samples)
