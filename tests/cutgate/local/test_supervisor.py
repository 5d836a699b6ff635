"""The supervisor with real processes: the dead come back, the stubborn go, nobody is left over."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cutgate.errors import StartFailed
from cutgate.local.supervisor import Backoff, Program, Supervisor
from tests.waiting import eventually

FAST = Backoff(first_seconds=0.1, longest_seconds=0.4)
ANNOUNCE = "import os, pathlib, sys; pathlib.Path(sys.argv[1], str(os.getpid())).touch()\n"
SLEEP = ANNOUNCE + "import time; print('started', flush=True); time.sleep(600)"
DIE = ANNOUNCE + "print('about to die', flush=True); sys.exit(3)"
STUBBORN = ANNOUNCE + (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('started', flush=True); time.sleep(600)"
)
PARENT = ANNOUNCE + (
    "import subprocess, time\n"
    f"child = {STUBBORN!r}\n"
    "subprocess.Popen([sys.executable, '-c', child, sys.argv[1]]); time.sleep(600)"
)
"""Has a child that ignores SIGTERM, as a pool's process may."""


def program(name: str, code: str, folder: Path, *, grace_seconds: float = 5) -> Program:
    """A Python process that leaves a file named by its id in `folder`."""
    folder.mkdir(exist_ok=True)
    return Program(
        name=name,
        arguments=(sys.executable, "-S", "-c", code, str(folder)),
        environment={},
        grace_seconds=grace_seconds,
    )


def pids(folder: Path) -> set[int]:
    return {int(file.name) for file in folder.iterdir()}


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def supervisor(lines: Lines, request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    logger = logging.Logger("test")
    logger.addHandler(lines)
    supervisor = Supervisor(logger, backoff=getattr(request, "param", FAST))
    yield supervisor
    supervisor.stop()


def test_pauses_double_up_to_a_limit() -> None:
    backoff = Backoff(first_seconds=0.5, longest_seconds=30)
    assert [backoff.pause_seconds(deaths) for deaths in (1, 2, 3, 7, 10_000)] == [0.5, 1, 2, 30, 30]


def test_a_process_that_is_killed_comes_back(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program("sleeper", SLEEP, tmp_path))
    supervisor.keep_alive()
    eventually(lambda: pids(tmp_path))
    first = supervisor.pids["sleeper"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path)) == 2)
    eventually(lambda: supervisor.pids["sleeper"] != first)  # its successor may write before its start returns
    assert lives(supervisor.pids["sleeper"])


def test_one_that_dies_often_starts_ever_more_slowly(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    supervisor.start(program("dier", DIE, tmp_path))
    supervisor.keep_alive()
    eventually(lambda: len(pids(tmp_path)) >= 4)
    assert announcements(lines)[:3] == ["0.1 s", "0.2 s", "0.4 s"]


@pytest.mark.parametrize("supervisor", [replace(FAST, stable_seconds=0.3)], indirect=True)
def test_one_that_lived_for_long_comes_back_soon(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    supervisor.start(program("mayfly", "import time; time.sleep(0.4)", tmp_path))
    supervisor.keep_alive()
    eventually(lambda: len(announcements(lines)) == 3)
    assert announcements(lines) == ["0.1 s"] * 3


def test_a_program_that_vanishes_is_tried_again(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    tool, state = tmp_path / "tool", tmp_path / "state"
    tool.symlink_to(sys.executable)
    there = program("tool", SLEEP, state)
    supervisor.start(replace(there, arguments=(str(tool), *there.arguments[1:])))
    supervisor.keep_alive()
    eventually(lambda: pids(state))
    tool.unlink()
    os.kill(supervisor.pids["tool"], signal.SIGKILL)
    eventually(lambda: any("tool cannot be run" in text for text in lines.texts))
    tool.symlink_to(sys.executable)
    eventually(lambda: len(pids(state)) == 2)


def announcements(lines: Lines) -> list[str]:
    return [text.rpartition(" in ")[2] for text in lines.texts if "starts again" in text]


def test_much_output_does_not_block(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    code = (
        "print('x' * 70_000); print('\\xff'); print('line\\n' * 20_000, end=''); print('end', flush=True)\n"
        + SLEEP
    )
    supervisor.start(program("talker", code, tmp_path))
    eventually(lambda: "talker   | started" in lines.texts)
    assert supervisor.last_lines("talker")[-2:] == ("end", "started")


def test_a_program_that_is_not_there_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match="no-such-program"):
        supervisor.start(Program(name="ghost", arguments=("/no-such-program",), environment={}))


def test_who_ignores_the_polite_signal_is_killed(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    supervisor.start(program("stubborn", STUBBORN, tmp_path, grace_seconds=0.5))
    eventually(lambda: "stubborn | started" in lines.texts)
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started >= 0.5
    assert not any(lives(pid) for pid in pids(tmp_path))


def test_children_of_children_are_stopped_too(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program("parent", PARENT, tmp_path))
    eventually(lambda: len(pids(tmp_path)) == 2)
    supervisor.stop()
    eventually(lambda: not any(lives(pid) for pid in pids(tmp_path)))


def test_the_last_wave_stops_first(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.touch()
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    with open({str(order)!r}, 'a') as file: file.write(sys.argv[1][-1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(sys.argv[1], 'ready').touch(); time.sleep(600)"
    )
    for wave in "12":
        supervisor.start(program(f"wave-{wave}", code, tmp_path / wave))
    eventually(lambda: all((tmp_path / wave / "ready").exists() for wave in "12"))
    supervisor.stop()
    assert order.read_text() == "21"


def test_without_its_guard_a_supervisor_still_stops_all(supervisor: Supervisor, tmp_path: Path) -> None:
    os.kill(supervisor._guard.pid, signal.SIGKILL)
    eventually(lambda: not lives(supervisor._guard.pid))
    supervisor.start(program("sleeper", SLEEP, tmp_path))
    eventually(lambda: pids(tmp_path))
    supervisor.stop()
    assert not any(lives(pid) for pid in pids(tmp_path))
