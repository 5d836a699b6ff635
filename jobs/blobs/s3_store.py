"""Blobs as objects in a bucket, for gateways and workers that share no folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from typing_extensions import override

from cutgate.jobs.blobs.s3_client import RETRY_WITHIN_SECONDS, ask, connect, require
from cutgate.jobs.blobs.s3_reader import ObjectReader
from cutgate.jobs.errors import BlobMissing, BlobStoreUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid, parse_task_uid
from cutgate.jobs.ports import BlobStore
from cutgate.jobs.settings import BlobSettings

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestTypeDef,
    )

T = TypeVar("T")

INSTALLATION: Final = ".installation"
PROBE: Final = ".probe"
"""Name of the empty object that `check` writes; no key has such a name."""

_READ_AHEAD_BYTES: Final = 2**16
_MOST_DELETED: Final = 1_000
"""Objects that a page lists at most, and that a request to delete may name."""


class S3BlobStore(BlobStore):
    """One object a blob at `<prefix>/<task>/<item>/<role>-<token>`. The bucket is the operator's and must exist.

    The server makes an object visible whole or not at all, so nothing unfinished is ever left.
    """

    def __init__(self, settings: BlobSettings, *, retry_within_seconds: float = RETRY_WITHIN_SECONDS) -> None:
        """Use a bucket; nothing is asked of the server yet."""
        self._retry_within_seconds = retry_within_seconds
        self._client = connect(settings)
        self._bucket = settings.s3_bucket
        self._prefix = f"{settings.s3_prefix}/" if settings.s3_prefix else ""

    @override
    def put(self, key: BlobKey, data: bytes) -> None:
        self._put(str(key), data)

    @override
    def get(self, key: BlobKey) -> bytes:
        return self._ask(lambda: self._read(key))

    @override
    def open(self, key: BlobKey) -> BinaryIO:
        found = self._ask(lambda: self._fetch(key))
        reader = ObjectReader(
            found["Body"],
            found["ContentLength"],
            partial(self._fetch_rest, key, found["ETag"]),
            self._retry_within_seconds,
        )
        return io.BufferedReader(reader, _READ_AHEAD_BYTES)

    @override
    def copy(self, source: BlobKey, target: BlobKey) -> None:
        self._ask(lambda: self._copy(source, target))

    @override
    def delete(self, *keys: BlobKey) -> None:
        names = [self._name(str(key)) for key in keys]
        for first in range(0, len(names), _MOST_DELETED):
            self._delete_named(names[first : first + _MOST_DELETED])

    @override
    def tasks(self) -> Iterator[TaskUid]:
        for page in self._pages(self._prefix, "/"):
            for folder in page.get("CommonPrefixes", []):
                # Whatever else lies in the bucket is none of the service's business.
                with suppress(ValueError):
                    yield parse_task_uid(folder["Prefix"].removeprefix(self._prefix).removesuffix("/"))

    @override
    def delete_task(self, uid: TaskUid) -> None:
        for page in self._pages(self._name(f"{uid}/")):
            if names := [found["Key"] for found in page.get("Contents", [])]:
                self._delete_named(names)

    @override
    def delete_unfinished(self, older_than_seconds: float) -> None:
        """Nothing is ever written half."""

    @override
    def installation(self) -> str | None:
        def read() -> str | None:
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._name(INSTALLATION))
            except self._client.exceptions.NoSuchKey:
                return None
            with closing(found["Body"]) as body:
                return body.read().decode()

        return self._ask(read)

    @override
    def install(self, installation: str, *, replace: bool = False) -> str:
        stored = None if replace else self.installation()
        if stored is None:
            self._put(INSTALLATION, installation.encode())
        return stored or installation

    @override
    def check(self) -> None:
        # Written, not only looked for: a full or read-only bucket is found by nothing less, and it costs the same.
        self._put(PROBE, b"")

    @override
    def free_bytes(self) -> int | None:
        return None

    def _name(self, path: str) -> str:
        return f"{self._prefix}{path}"

    def _ask(self, call: Callable[[], T]) -> T:
        return ask(call, self._retry_within_seconds)

    def _put(self, path: str, data: bytes) -> None:
        # A stream goes out piece by piece, each under the time-out; bytes would have to pass as one within it.
        self._ask(
            lambda: self._client.put_object(
                Bucket=self._bucket, Key=self._name(path), Body=io.BytesIO(data), ContentLength=len(data)
            )
        )

    def _copy(self, source: BlobKey, target: BlobKey) -> None:
        """Have the server copy an object: its bytes do not pass through here."""
        with self._missing(source):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=self._name(str(target)),
                CopySource={"Bucket": self._bucket, "Key": self._name(str(source))},
            )

    def _read(self, key: BlobKey) -> bytes:
        with closing(self._fetch(key)["Body"]) as body:
            return body.read()

    def _fetch(self, key: BlobKey) -> GetObjectOutputTypeDef:
        """Ask for an object whose bytes are still to be read."""
        with self._missing(key):
            found = self._client.get_object(Bucket=self._bucket, Key=self._name(str(key)))
        require(found, "ContentLength")
        require(found, "ETag")
        return found

    def _fetch_rest(self, key: BlobKey, etag: str, offset_bytes: int) -> StreamingBody:
        """Ask for the same object from an offset, before its end, on."""
        with self._missing(key):
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._name(str(key)), IfMatch=etag, Range=f"bytes={offset_bytes}-"
            )
        # Without it these would be bytes from the beginning.
        require(found, "ContentRange")
        return found["Body"]

    @contextmanager
    def _missing(self, key: BlobKey) -> Iterator[None]:
        try:
            yield
        except self._client.exceptions.NoSuchKey:
            raise BlobMissing(f"no blob {key}") from None

    def _delete_named(self, names: list[str]) -> None:
        """Delete up to `_MOST_DELETED` objects."""
        answer = self._ask(
            lambda: self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
            )
        )
        if errors := answer.get("Errors"):
            raise BlobStoreUnavailable(f"the S3 server kept {len(errors)} objects: {errors[0].get('Code')}")

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[ListObjectsV2OutputTypeDef]:
        # Not the library's paginator: that one ends, as if all were listed, when asked on after an error.
        page = self._list(prefix, delimiter)
        yield page
        while page["IsTruncated"]:
            page = self._list(prefix, delimiter, page["NextContinuationToken"])
            yield page

    def _list(self, prefix: str, delimiter: str, token: str | None = None) -> ListObjectsV2OutputTypeDef:
        request: ListObjectsV2RequestTypeDef = {"Bucket": self._bucket, "Prefix": prefix, "Delimiter": delimiter}
        if token is not None:
            request["ContinuationToken"] = token

        def listed() -> ListObjectsV2OutputTypeDef:
            page = self._client.list_objects_v2(**request)
            require(page, "IsTruncated")
            return page

        return self._ask(listed)
