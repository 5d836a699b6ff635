"""Stops the processes of a supervisor that was killed and could not stop them itself.

The supervisor starts this file as a process of its own and tells it over a pipe which process groups live. The
pipe's end is the supervisor's end, however that came. Works wherever there are process groups, and covers
grandchildren, which Linux's parent-death signal does not. The supervisor's descriptors that are passed on, such as
a lock, stay open until the last group is gone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

GRACE_SECONDS = 5.0
"""From the polite signal to the one that cannot be refused."""


class Guard:
    """The supervisor's side; the guard holds the inherited file descriptors open."""

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        # In a session of its own, so that the terminal's Ctrl-C does not reach it; isolated, to start fast.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=inherited,
            bufsize=0,
        )
        assert self._process.stdin is not None
        self._pipe, self.pid = self._process.stdin, self._process.pid

    def add(self, group: int) -> None:
        """From now on the process group is stopped when the supervisor dies."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """The process group is gone."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the guard; groups that are still known to it are stopped."""
        self._pipe.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # somebody has killed it; the supervisor itself still stops all
            self._pipe.write(line.encode())


def signal_group(group: int, number: int) -> bool:
    """Send a signal to every process of a group; False when nobody is left in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # the latter on macOS where only the dead are left in it
        return False
    return True


def stop_groups(groups: set[int]) -> None:
    """Ask the leaders to stop, give them the grace, then kill what is left of the groups."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(group, signal.SIGTERM)  # the leader alone: it knows how to stop its own children
    deadline = time.monotonic() + GRACE_SECONDS
    while any(signal_group(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in groups:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Keep the list until the pipe ends, then stop what is on it."""
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    stop_groups(groups)


if __name__ == "__main__":
    main()
