"""An S3 object as a file that supports read and seek."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import IncompleteReadError
from typing_extensions import override

from cutgate.jobs.blobs.s3_client import ask

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody


class ObjectReader(io.RawIOBase):
    """Reads on through one answer of the server; asks for the rest anew after a seek or a broken connection."""

    def __init__(
        self,
        body: StreamingBody,
        size_bytes: int,
        fetch_from: Callable[[int], StreamingBody],
        retry_within_seconds: float,
    ) -> None:
        """Begin with the answer to a request for the whole object."""
        self._size_bytes = size_bytes
        self._fetch_from = fetch_from
        self._retry_within_seconds = retry_within_seconds
        self._position = 0
        self._body: StreamingBody | None = body
        self._body_position = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = base + offset
        return self._position

    @override
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read the next bytes.

        Raises:
            BlobStoreUnavailable: the server went away.
            BlobMissing: the object was deleted, and what the server had sent of it does not hold these bytes.
        """
        if self._position >= self._size_bytes:
            return 0
        view = memoryview(buffer)
        data = ask(lambda: self._read_body(len(view)), self._retry_within_seconds)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _read_body(self, size_bytes: int) -> bytes:
        """Read at least one byte and at most `size_bytes` from the position on."""
        if self._body is None or self._body_position != self._position:
            self._drop_body()
            self._body = self._fetch_from(self._position)
            self._body_position = self._position
        try:
            data = self._body.read(size_bytes)
        except BaseException:
            self._drop_body()
            raise
        if not data:
            self._drop_body()
            raise IncompleteReadError(actual_bytes=self._position, expected_bytes=self._size_bytes)
        self._body_position += len(data)
        return data

    def _drop_body(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    @override
    def close(self) -> None:
        self._drop_body()
        super().close()
