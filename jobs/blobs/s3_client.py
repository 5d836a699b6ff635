"""An S3 client: its set-up, its retries, and what its errors mean."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cutgate.jobs.errors import BlobStoreUnavailable
from cutgate.jobs.settings import BlobSettings

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_CONNECTIONS: Final = 64
"""Connections that are kept for the threads of a process; a surplus one is closed after its use."""
_PAUSES_SECONDS: Final = (0.1, 0.3)
RETRY_WITHIN_SECONDS: Final = 0.5
"""A refusal comes at once and is worth another try. A silence has used up the caller's patience."""


def connect(settings: BlobSettings) -> S3Client:
    """A client, safe to share between threads but not with a forked child. No request is made."""
    client: S3Client = Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=settings.s3_timeout_seconds,
            read_timeout=settings.s3_timeout_seconds,
            # The library would retry after silence as well, with random pauses of seconds: `ask` does it instead.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=_CONNECTIONS,
            tcp_keepalive=True,
            # Amazon's newer checksums are unknown to many other servers; the signature covers the body anyway.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register_last("before-call.s3", _send_at_once)
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    return client


def _send_at_once(params: dict[str, Any], **_: object) -> None:
    # The library waits a second for "100 Continue" on top of the time-out, and for ever if the connection ends
    # in the middle of it.
    params["headers"].pop("Expect", None)


def _add_md5(request: AWSRequest, **_: object) -> None:
    # The protocol's first checksum, which the library replaced; servers exist that know no other.
    body = cast("bytes", request.body)  # whatever the published types say
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode("ascii")


def ask(call: Callable[[], T], retry_within_seconds: float) -> T:
    """Make one or more requests, again when they fail fast in a way that may pass.

    Args:
        call: may be called up to three times.
        retry_within_seconds: of the first call; what fails later is not tried again.

    Raises:
        BlobStoreUnavailable: it failed. All in all this takes hardly longer than one time-out.
    """
    began = time.monotonic()
    pauses = iter(_PAUSES_SECONDS)
    while True:
        try:
            return call()
        except (BotoCoreError, ClientError, OSError) as error:
            pause_seconds = next(pauses, None)
            late = time.monotonic() - began > retry_within_seconds
            if pause_seconds is None or late or not _may_pass(error):
                raise _unavailable(error) from error
            time.sleep(pause_seconds)


def require(answer: Mapping[str, object], member: str) -> None:
    """Make sure that an answer holds what every whole one does: a connection may end in the middle of a header.

    Raises:
        ConnectionError: it does not.
    """
    if member not in answer:
        raise ConnectionError(f"an answer without {member}")


def _may_pass(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _unavailable(error: Exception) -> BlobStoreUnavailable:
    """What happened, without address and keys."""
    if isinstance(error, ClientError):
        return BlobStoreUnavailable(f"the S3 server answers {error.response['Error'].get('Code', 'an error')}")
    return BlobStoreUnavailable(f"the S3 server does not answer: {type(error).__name__}")
