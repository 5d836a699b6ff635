"""Keeps processes alive: starts them, relays what they print, starts the dead again, stops all of them."""

import logging
import math
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from cutgate.errors import StartFailed
from cutgate.local.guard import Guard, signal_group

LOOK_SECONDS: Final = 0.1
"""How often the processes are looked at."""
LONGEST_LINE_BYTES: Final = 16 * 2**10
LINES_IN_ERRORS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process to keep alive."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    grace_seconds: float = 6
    """From the polite signal to the one that cannot be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The pause before a dead process is started again."""

    first_seconds: float = 0.5
    """The first pause; each further one is twice as long."""
    longest_seconds: float = 30
    stable_seconds: float = 60
    """A process that lived for so long starts from the first pause again."""

    def pause_seconds(self, deaths: int) -> float:
        """The pause after so many deaths in a row."""
        return min(math.ldexp(self.first_seconds, min(deaths - 1, 32)), self.longest_seconds)


class Child:
    """One program and the process that runs it at present."""

    def __init__(self, program: Program, logger: logging.Logger, guard: Guard) -> None:
        self.program = program
        self.last_lines: deque[str] = deque(maxlen=LINES_IN_ERRORS)
        self._logger, self._guard = logger, guard
        self._start_at: float | None = None
        self._deaths = 0
        self._over = False
        self._start()

    @property
    def pid(self) -> int:
        """The process, which also leads the group of its children."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process lives."""
        return self._process.poll()

    def _start(self) -> None:
        self._started = time.monotonic()
        # A session of its own: Ctrl-C on the terminal reaches the supervisor only, which then stops all in order.
        self._process = subprocess.Popen(
            self.program.arguments,
            env=dict(self.program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._over = False
        self._guard.add(self.pid)
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._relay, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _relay(self, output: IO[bytes]) -> None:
        with output:
            while line := output.readline(LONGEST_LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                self.last_lines.append(text)
                self._logger.info("%-8s | %s", self.program.name, text)

    def look(self, now: float, backoff: Backoff) -> None:
        """Start the process again if it is dead and its pause is over; `now` is on the monotonic clock."""
        if self.exit_code is None:
            return
        if self._start_at is None:
            self.end()
            self._deaths = 1 if now - self._started >= backoff.stable_seconds else self._deaths + 1
            pause = backoff.pause_seconds(self._deaths)
            self._start_at = now + pause
            message = "%-8s | %s ended (exit code %s) and starts again in %.1f s"
            self._logger.warning(message, "cutgate", self.program.name, self.exit_code, pause)
        elif now >= self._start_at:
            self._start_at = None
            try:
                self._start()
            except OSError as error:  # the next look counts it as another death
                self._logger.warning("%-8s | %s cannot be run: %s", "cutgate", self.program.name, error)

    def ask_to_stop(self) -> None:
        """Send the polite signal, to the leader alone: it knows how to stop its own children."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill whatever is left of the process and its children, and wait for the end of their output."""
        if self._over:  # the number of the group may belong to somebody else by now
            return
        self._over = True
        signal_group(self.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.remove(self.pid)
        self._reader.join(timeout=1)


class Supervisor:
    """Runs programs in waves; what starts later may lean on what started before, so it stops first.

    The logger gets every line that the programs print, with the program's name before it. The inherited file
    descriptors stay open until the last process is gone, whatever ends the supervisor.
    """

    def __init__(
        self, logger: logging.Logger, *, backoff: Backoff | None = None, inherited: Sequence[int] = ()
    ) -> None:
        self._logger = logger
        self._backoff = backoff or Backoff()
        self._guard = Guard(inherited)
        self._waves: list[list[Child]] = []
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def pids(self) -> dict[str, int]:
        """The process of each program at present, by the program's name."""
        return {child.program.name: child.pid for child in self._children()}

    def _children(self) -> Iterator[Child]:
        return (child for wave in self._waves for child in wave)

    def start(self, *programs: Program) -> None:
        """Start a wave; raises StartFailed where a program cannot be run."""
        wave: list[Child] = []
        self._waves.append(wave)
        for program in programs:
            try:
                wave.append(Child(program, self._logger, self._guard))
            except OSError as error:
                raise StartFailed(program.name, f"cannot be run: {error}") from None

    def check(self) -> None:
        """Raise StartFailed where a process has ended; for the time of the start, in which a death is a fault."""
        for child in self._children():
            if child.exit_code is not None:
                child.end()
                raise StartFailed(
                    child.program.name, f"ended while starting (exit code {child.exit_code})", child.last_lines
                )

    def last_lines(self, name: str) -> tuple[str, ...]:
        """What a program printed last."""
        return tuple(line for child in self._children() if child.program.name == name for line in child.last_lines)

    def keep_alive(self) -> None:
        """From now on start the dead again, in a thread of its own."""
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            now = time.monotonic()
            for child in self._children():
                child.look(now, self._backoff)

    def stop(self) -> None:
        """Stop all, the last wave first; who does not go in its grace is killed. Nothing is left afterwards."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        for wave in reversed(self._waves):
            self._stop_wave(wave)
        self._waves.clear()
        self._guard.close()

    def _stop_wave(self, wave: Sequence[Child]) -> None:
        for child in wave:
            child.ask_to_stop()
        deadline = time.monotonic() + max((child.program.grace_seconds for child in wave), default=0)
        while any(child.exit_code is None for child in wave) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS / 5)
        for child in wave:
            if child.exit_code is None:
                self._logger.warning("%-8s | %s does not stop, so it is killed", "cutgate", child.program.name)
            child.end()
