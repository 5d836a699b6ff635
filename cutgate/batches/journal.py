"""Journal of results and how they were made, so that a killed call can be resumed.

One line of JSON for each move of each picture, appended before or after what it tells of: the id of the request
before it is sent, the task that the service made of it, the end. A picture's last line counts. A request that was
sent and whose answer never came is sent again under the same id, by which the service knows it.
"""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self

from cutgate.errors import DataFileBroken, FolderInUse
from cutgate.files import raising_output_full, remove_parts, share_lock, try_lock, write_whole

JOURNAL_NAME: Final = ".cutgate.jsonl"
MOST_SHARED: Final = 10_000
"""So many results, the last ones, a shared journal remembers: reading it takes a few hundredths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How far one picture is."""

    target: str
    """The result's file, relative to the folder; in a shared journal its whole path."""
    name: str
    """The picture, as the call that began it named it; in a shared journal its whole path."""
    fingerprint: str
    """Of the picture's file and of the settings; with another one the result is made anew."""
    request_uuid: str
    uid: str | None = None
    """The task, once the service has answered."""
    state: Literal["begun", "saved", "failed"] = "begun"
    subject_found: bool | None = None
    """Whether the result shows a subject, once it is saved and where that was told."""
    confidence: float | None = None
    """How likely the result is right, once it is saved and where that was told."""
    review: str = ""
    """The result's file where it was put aside for review."""
    digest: str = ""
    """Of the result's file as it was last written, by which one is known that somebody has changed since."""


class Journal:
    """The journal of one folder, held for the length of a `with` block; use it from any number of threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / JOURNAL_NAME
        self._entries: dict[str, Entry] = {}
        self._turn = threading.Lock()
        self._file: BinaryIO | None = None
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        """Read what was written."""
        with raising_output_full(self._path), ExitStack() as undo:
            self._open(undo)
            self._undo = undo.pop_all()
        return self

    def _open(self, undo: ExitStack) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not try_lock(undo.enter_context(_opened(self.folder))):
            raise FolderInUse(self.folder)
        self._entries = self._read()
        self._clean()
        self._rewrite(self._entries.values())
        self._file = undo.enter_context(self._path.open("ab"))

    def _read(self) -> dict[str, Entry]:
        """The last entry of each result, in the order in which they were written."""
        try:
            *lines, _unfinished = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        entries: dict[str, Entry] = {}
        for line in lines:
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                self._cannot_read()
                continue
            entries.pop(entry.target, None)
            entries[entry.target] = entry
        return entries

    def _cannot_read(self) -> None:
        raise DataFileBroken(self._path, "a line that is no entry")

    def _rewrite(self, entries: Iterable[Entry]) -> None:
        """Without what a kill cut off, and what is superseded."""
        write_whole(self._path, b"".join(map(_line, entries)))

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

    def called(self, name: str) -> str:
        """What a picture or a result is called here, whose name is relative to the folder."""
        return name

    def find(self, target: str) -> Entry | None:
        """How far the picture of a result is; None when nothing is known of it."""
        return self._entries.get(self.called(target))

    def known(self, target: str) -> Entry | None:
        """Read the file and look up a target's last entry; needs no `with` block."""
        return self._read().get(target)

    def note(self, entry: Entry) -> Entry:
        """Write a move down; it is on the disk when this returns."""
        with self._turn:
            self._write(_line(entry))
            self._entries[entry.target] = entry
        return entry

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())


class SharedJournal(Journal):
    """Journal of results outside any folder of results, shared by all commands of one user.

    Where it cannot be read or written, results are made all the same. Without a path nothing is remembered.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(Path())
        self._shared = path
        self._path = path or self._path

    def _open(self, undo: ExitStack) -> None:
        if self._shared is None:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = undo.enter_context(_opened(self._path.parent))
            if try_lock(lock):  # nobody writes in it
                self._rewrite([*self._read().values()][-MOST_SHARED:])
            share_lock(lock)
            self._entries = self._read()
            self._file = undo.enter_context(self._path.open("ab"))

    def called(self, name: str) -> str:
        """Its whole path."""
        return os.path.abspath(name)  # noqa: PTH100 — `resolve` would follow links, to other folders

    def _write(self, line: bytes) -> None:
        with suppress(OSError):
            super()._write(line)

    def _cannot_read(self) -> None:
        """Pass a line over that a full disk has cut off."""


def entry_of(result: Path, shared: Path) -> Entry | None:
    """What journals know of a result's file: that of a folder it is in, or the shared one; None for nothing."""
    whole = Path(os.path.abspath(result))  # noqa: PTH100 — as `called`
    folders = [folder for folder in whole.parents if (folder / JOURNAL_NAME).exists()]
    found = [Journal(folder).known(str(whole.relative_to(folder))) for folder in folders]
    found.append(SharedJournal(shared).known(str(whole)))
    entries = [entry for entry in found if entry is not None]
    digest = digest_of(result.read_bytes())
    # A correction may have been written over a batch's result, and the batch be run anew after that.
    return next((entry for entry in entries if entry.digest == digest), entries[-1] if entries else None)


def digest_of(content: bytes) -> str:
    """By which a result's file is known."""
    return hashlib.sha256(content).hexdigest()[:32]


def _line(entry: Entry) -> bytes:
    return json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder's file descriptor, for a lock; a process that is killed lets go of it."""
    if sys.platform == "win32":  # which opens no folders, and has no such locks
        yield -1
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
