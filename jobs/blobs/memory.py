"""Blobs in this process's memory, for tests of what stands on them."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import BinaryIO

from typing_extensions import override

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import BlobKey, TaskUid


class MemoryBlobStore(BlobStore):
    """Bytes in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

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
    def delete(self, key: BlobKey) -> None:
        with self._lock:
            self._blobs.pop(str(key), None)

    @override
    def tasks(self) -> Iterator[TaskUid]:
        return iter({key.task for key in self.keys()})

    @override
    def delete_task(self, uid: TaskUid) -> None:
        for key in self.keys():
            if key.task == uid:
                self.delete(key)

    @override
    def delete_unfinished(self, older_than_seconds: float) -> None:
        """Nothing is ever written half."""

    @override
    def check(self) -> None:
        """Memory can always be written."""

    def keys(self) -> tuple[BlobKey, ...]:
        """What is stored, in order of their names, so that a test can say what is left."""
        with self._lock:
            return tuple(BlobKey.parse(name) for name in sorted(self._blobs))
