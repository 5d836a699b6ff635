"""A real S3 server for tests, in a process of its own, and buckets that last as long as a test."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from cutgate.jobs.settings import BlobSettings
from tests.servers.ports import free_port
from tests.waiting import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URL_VARIABLE: Final = "CUTGATE_TEST_S3_URL"
START_SECONDS: Final = 30.0


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server as long as the block lasts, or use the one that the environment names."""
    if named := os.environ.get(URL_VARIABLE):
        yield named
        return
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as server,
    ):
        try:
            eventually(
                lambda: _answers(port), START_SECONDS, say=lambda: log.seek(0) or log.read(), despite=(OSError,)
            )
            yield f"http://test:test@127.0.0.1:{port}"
        finally:
            server.kill()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("HEAD", "/")
        return bool(connection.getresponse().status)
    finally:
        connection.close()


@dataclass(frozen=True)
class Bucket:
    """A bucket of a test's own, and a client to look into it."""

    settings: BlobSettings
    client: S3Client

    @property
    def name(self) -> str:
        return self.settings.s3_bucket

    def make(self) -> None:
        self.client.create_bucket(Bucket=self.name)

    def names(self) -> list[str]:
        """The names of its objects, in order; at most 1000."""
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def remove(self) -> None:
        while names := self.names():
            self.client.delete_objects(Bucket=self.name, Delete={"Objects": [{"Key": name} for name in names]})
        self.client.delete_bucket(Bucket=self.name)


def s3_settings(url: str) -> BlobSettings:
    """Patient settings for a server's URL, and a bucket that is not there yet and that no other test uses."""
    parts = urlsplit(url)
    return BlobSettings(
        blob_store="s3",
        s3_endpoint_url=f"{parts.scheme}://{parts.hostname}:{parts.port}",
        s3_bucket=f"cutgate-{secrets.token_hex(8)}",
        s3_access_key=parts.username or "",
        s3_secret_key=SecretStr(parts.password or ""),
        s3_timeout_seconds=PATIENCE_SECONDS,
    )


def elsewhere(settings: BlobSettings, url: str) -> BlobSettings:
    """The same bucket at another address, where the server may fall silent: with the usual patience."""
    usual = BlobSettings.model_fields["s3_timeout_seconds"].default
    return settings.model_copy(update={"s3_endpoint_url": url, "s3_timeout_seconds": usual})


@contextmanager
def operators_client(settings: BlobSettings) -> Iterator[S3Client]:
    """A client that makes buckets and looks into them; it takes longer to make than most tests take."""
    from cutgate.jobs.blobs.s3_client import connect  # only here, for it takes long to import

    with closing(connect(settings)) as client:
        yield client


@contextmanager
def new_bucket(client: S3Client, settings: BlobSettings) -> Iterator[Bucket]:
    bucket = Bucket(settings, client)
    bucket.make()
    yield bucket
    bucket.remove()
