"""A file that says until when a process counts as alive, and the health check that looks at it.

`python -m cutgate.jobs.observe.alive` runs every few seconds beside the work, so it imports the standard library
alone: asking the ledger's server instead costs ten times as much, most of it imports.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "CUTGATE_ALIVE_FILE"


class AliveFile:
    """Its modification time is the time until which the process that keeps it counts as alive."""

    def __init__(self, path: Path | None) -> None:
        """Name the file; without one nothing is kept."""
        self._path = path

    def keep(self, seconds: float) -> None:
        """Count as alive for so long."""
        if self._path is None:
            return
        until_seconds = time.time() + seconds
        # A process that cannot write the file goes on; its check says what is missing.
        # Opened to append, one that is there keeps its time until it gets the new one.
        with suppress(OSError), self._path.open("ab") as file:
            os.utime(file.fileno(), (until_seconds, until_seconds))

    def drop(self) -> None:
        """Count as gone."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def fault(self) -> str | None:
        """Why the process does not count as alive; nothing where it does."""
        if self._path is None:
            return f"{VARIABLE} names no file"
        try:
            silent_seconds = time.time() - self._path.stat().st_mtime
        except OSError as error:
            return f"it has not announced itself: {self._path}: {error.strerror}"
        return None if silent_seconds < 0 else f"its announcement lapsed {silent_seconds:.0f} s ago"


def main() -> None:
    """Exit with 1 and a reason unless the process of this container announced itself lately."""
    named = os.environ.get(VARIABLE)
    sys.exit(AliveFile(Path(named) if named else None).fault())


if __name__ == "__main__":
    main()
