"""Stand-ins for parts that a test does not ask about: blobs in memory, hints followed at once, a clock."""

import io
import threading
import time
from collections.abc import Iterator
from functools import reduce
from typing import BinaryIO, TypeVar
from unittest.mock import Mock

from typing_extensions import override

from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ports import BlobStore


class MemoryBlobStore(BlobStore):
    """Bytes in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._installation: str | None = None

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        with self._lock:
            self._blobs[str(key)] = bytes(data)

    @override
    def get(self, key: BlobKey) -> bytes:
        with self._lock:
            data = self._blobs.get(str(key))
        if data is None:
            raise BlobMissing(f"no blob {key}")
        return data

    @override
    def open(self, key: BlobKey) -> BinaryIO:
        return io.BytesIO(self.get(key))

    @override
    def copy(self, source: BlobKey, target: BlobKey) -> None:
        self.put(target, self.get(source))

    @override
    def delete(self, *keys: BlobKey) -> None:
        with self._lock:
            for key in keys:
                self._blobs.pop(str(key), None)

    @override
    def tasks(self) -> Iterator[TaskUid]:
        return iter({key.task for key in self.keys()})

    @override
    def delete_task(self, uid: TaskUid) -> None:
        self.delete(*(key for key in self.keys() if key.task == uid))

    @override
    def delete_unfinished(self, older_than_seconds: float) -> None:
        """Nothing is ever written half."""

    @override
    def installation(self) -> str | None:
        return self._installation

    @override
    def install(self, installation: str, *, replace: bool = False) -> str:
        if replace or self._installation is None:
            self._installation = installation
        return self._installation

    @override
    def check(self) -> None:
        """Memory can always be written."""

    @override
    def free_bytes(self) -> int | None:
        return None

    def keys(self) -> tuple[BlobKey, ...]:
        """What is stored, in order of their names, so that a test can say what is left."""
        with self._lock:
            return tuple(BlobKey.parse(name) for name in sorted(self._blobs))


class ManualClock:
    """A clock that stands still until it is advanced. It starts at the present: fresh task ids are young."""

    def __init__(self, now_seconds: float | None = None) -> None:
        self._started_at_seconds = time.time() if now_seconds is None else now_seconds
        self._advanced_seconds = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Unix time in seconds."""
        return self._started_at_seconds + self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._advanced_seconds += seconds

    def offset_ms(self) -> int:
        """How far it was advanced: what a store on a real server's clock adds to that one."""
        return round(self._advanced_seconds * 1000)


T = TypeVar("T")


def failing(part: T, **faults: Exception) -> T:
    """A part of the service whose named methods raise, as when what is behind it is away.

    The ledger's parts are named before their methods: `tasks__create`.
    """
    for path, error in faults.items():
        *owners, name = path.split("__")
        owner = reduce(getattr, owners, part)
        assert callable(getattr(owner, name)), path
        setattr(owner, name, Mock(side_effect=error))
    return part
