"""What a folder of results remembers of how they were made, so that a call which was killed can be gone on with.

One line of JSON for each move of each picture, appended before or after what it tells of: the id of the request
before it is sent, the task that the service made of it, the end. A picture's last line counts. A request that was
sent and whose answer never came is sent again under the same id, by which the service knows it.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self

from cutgate.errors import DataFileBroken, FolderInUse
from cutgate.files import full_disk_told, remove_parts, try_lock, write_whole

JOURNAL_NAME: Final = ".cutgate.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How far one picture is."""

    target: str
    """The result's file, relative to the folder."""
    name: str
    """The picture, as the call that began it named it."""
    fingerprint: str
    """Of the picture's file and of the settings; with another one the result is made anew."""
    request_uuid: str
    uid: str | None = None
    """The task, once the service has answered."""
    state: Literal["begun", "saved", "failed"] = "begun"
    subject_found: bool | None = None
    """Whether the result shows a subject, once it is saved and where that was told."""


class Journal:
    """The journal of one folder, held for the length of a `with` block; use it from any number of threads.

    Args:
        folder: where the results go; made if it is not there.
        kept: whether anything is to be remembered after the block; if not, the folder is not held either.
    """

    def __init__(self, folder: Path, *, kept: bool = True) -> None:
        self.folder, self._kept = folder, kept
        self._path = folder / JOURNAL_NAME
        self._entries: dict[str, Entry] = {}
        self._turn = threading.Lock()
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Read what was written.

        Raises:
            FolderInUse: another call has the folder.
            DataFileBroken: the file is not what was written.
            OutputFull: there is no room in it.
            OSError: the folder cannot be written.
        """
        with full_disk_told(self._path if self._kept else self.folder):
            self._open()
        return self

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._kept:
            return
        with ExitStack() as undo:
            undo.enter_context(_locked(self.folder))
            self._entries = {entry.target: entry for entry in _read(self._path)}
            self._clean()
            lines = (_line(entry) for entry in self._entries.values())
            write_whole(self._path, b"".join(lines))  # without what a kill cut off, and what is superseded
            self._file = undo.enter_context(self._path.open("ab"))
            self._undo = undo.pop_all()

    def __exit__(self, *_: object) -> None:
        with self._turn, suppress(OSError):  # a line for which there was no room has been told of by `note`
            self._undo.close()

    def _clean(self) -> None:
        """Remove what a killed call left of files that it was writing."""
        begun = (entry.target for entry in self._entries.values() if entry.state == "begun")
        for name in (JOURNAL_NAME, *begun):
            remove_parts(self.folder / name)

    @property
    def owners(self) -> Mapping[str, str]:
        """Which picture each result is of: names by targets."""
        return {entry.target: entry.name for entry in self._entries.values()}

    def find(self, target: str) -> Entry | None:
        """How far the picture of a result is; None when nothing is known of it."""
        return self._entries.get(target)

    def note(self, entry: Entry) -> Entry:
        """Write a move down; it is on the disk when this returns."""
        with self._turn:
            if self._kept:
                self._file.write(_line(entry))
                self._file.flush()
                os.fsync(self._file.fileno())
            self._entries[entry.target] = entry
        return entry


def _line(entry: Entry) -> bytes:
    return json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"


def _read(path: Path) -> Iterator[Entry]:
    try:
        *lines, _unfinished = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield Entry(**json.loads(line))
        except (ValueError, TypeError):
            raise DataFileBroken(path, "a line that is no entry") from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other calls, where the system can; a process that is killed lets go of it."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not try_lock(descriptor):
            raise FolderInUse(folder)
        yield
    finally:
        os.close(descriptor)
