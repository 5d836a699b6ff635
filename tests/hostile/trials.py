"""Inputs judged one at a time in processes of their own, which may die of them.

An input is made of the seed, its campaign's name and its number alone, so the process that judges it makes it, and
the one that is started after a death goes on behind it.
"""

import faulthandler
import math
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from cutgate.jobs.observe import logs
from tests.hostile.judgement import Allowed, Outcome, usual

PROCESSES: Final = 2
ADDRESS_SPACE_BYTES: Final = 6 * 2**30
"""Of a judging process: an input that asks for all memory meets an error, not the machine's end."""
PROCESSOR_SECONDS: Final = 25.0
"""Of one input, after which its process is killed: more than any may take."""
CLOCK_SECONDS: Final = 180.0
"""The same on the clock, for one that waits for ever. Machines are busy, so it is no measure."""
ROUNDS: Final = 3
"""An input that takes too long is tried again: beside a busy neighbour, a processor takes longer, too."""

_SPAWN: Final = multiprocessing.get_context("spawn")
"""No fork: what judges has threads of its own, and starts without memory of inputs before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One kind of input. Its functions are a module's, since another process calls them."""

    name: str
    make: Callable[[random.Random, int], Any]
    """The input of a number; the same one again from a generator with the same seed."""
    enter: Callable[[Any], object]
    """Gives it to the code under test; raises what is not as it should be."""
    refusals: tuple[type[Exception], ...] = ()
    """Errors that callers are told."""
    data_of: Callable[[Any], bytes] = bytes
    """The bytes that somebody sends of an input."""
    allowed: Callable[[int], Allowed] = usual
    """What an input of a size may take."""
    least: int = 1
    """Inputs that each run has."""

    def input(self, seed: int, number: int) -> Any:
        return self.make(random.Random(f"{seed} {self.name} {number}"), number)


Order = tuple[Trial, int]
"""A trial, and the number of its input."""


def judged(orders: Sequence[Order], seed: int) -> Iterator[tuple[Trial, Outcome]]:
    """Judge inputs in the order given, in a few processes at a time; outcomes come as they are there."""
    lanes = [_Lane(orders[first::PROCESSES], seed) for first in range(PROCESSES)]
    try:
        while busy := {lane.pipe: lane for lane in lanes if lane.left}:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                yield busy[pipe].next()
    finally:
        for lane in lanes:
            lane.stop()


class _Lane:
    """Inputs that are judged one after the other."""

    def __init__(self, orders: Sequence[Order], seed: int) -> None:
        self._seed = seed
        self.left = list(orders[::-1])
        """Those without an outcome, the next one last."""
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_judge, args=(self.left[::-1], self._seed, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def next(self) -> tuple[Trial, Outcome]:
        """The next input's outcome, which is there; where the process died instead, that is its outcome."""
        trial, number = self.left[-1]
        try:
            outcome = self.pipe.recv()
            self.left.pop()
        except EOFError:
            self._process.join()
            outcome = self._death(trial, number, self._process.exitcode)
            self.left.pop()
            self.stop()
            self._start()
        assert isinstance(outcome, Outcome)
        return trial, outcome

    def _death(self, trial: Trial, number: int, code: int | None) -> Outcome:
        assert code, f"the process of {trial.name} ended in order before its inputs did"
        cause = signal.Signals(-code) if code < 0 else None
        too_long = {
            signal.SIGPROF: f"{PROCESSOR_SECONDS:g} s of processor time",
            signal.SIGALRM: f"{CLOCK_SECONDS:g} s",
        }
        fault = f"the process died: {cause.name if cause else code}"
        if cause in too_long:
            fault = f"no end after {too_long[cause]}"
        size_bytes = len(trial.data_of(trial.input(self._seed, number)))
        return Outcome(number=number, size_bytes=size_bytes, fault=fault)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self.pipe.close()


def _judge(orders: Sequence[Order], seed: int, pipe: Connection) -> None:
    """What a judging process does."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this process
    logs.configure("json", "error")  # hardly anything is told of inputs that are refused
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), sys.stderr.fileno())  # decoders in C print what they think of a file
    for trial, number in orders:
        pipe.send(_outcome(trial, number, trial.input(seed, number)))


def _outcome(trial: Trial, number: int, value: Any) -> Outcome:
    size_bytes = len(trial.data_of(value))
    allowed = trial.allowed(size_bytes)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak from here on
    before_bytes = _status_bytes("VmRSS")
    seconds = math.inf
    for _ in range(ROUNDS):
        began = time.process_time()
        refused, fault = _entered(trial, value)
        seconds = min(seconds, time.process_time() - began)
        if seconds <= allowed[0]:
            break
    return Outcome(
        number=number,
        size_bytes=size_bytes,
        seconds=seconds,
        growth_bytes=max(0, _status_bytes("VmHWM") - before_bytes),
        refused=refused,
        fault=fault,
        allowed=allowed,
    )


def _entered(trial: Trial, value: Any) -> tuple[bool, str]:
    """Whether an input is refused, and what it met that it should not have."""
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, CLOCK_SECONDS)
    try:
        trial.enter(value)
    except trial.refusals:
        return True, ""
    except Exception as error:
        return False, _told(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return False, ""


def _told(error: Exception) -> str:
    """An error, and where it was raised; without its text, which differs from input to input."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(last.filename).name}, {last.name}"


def _status_bytes(name: str) -> int:
    """A size of this process as the system knows it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"the system does not tell {name}")
