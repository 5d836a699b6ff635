"""Fixtures for every package's tests."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.needs import Needs
from tests.pictures.models import tiny_settings, weights_dir
from tests.servers.redis_server import redis_server
from tests.servers.s3_server import Bucket, new_bucket, operators_client, s3_server, s3_settings
from tests.servers.stack import stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["stack", "tiny_settings", "weights_dir"]

# A shell starts what runs in its background with Ctrl-C switched off, and our own processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped unnoticed."""
    needs = Needs()
    needs.declare(config)
    config.pluginmanager.register(needs)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A running server that all tests share; each keeps to its own `key_prefix`."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A running S3 server that all tests share; each has a bucket of its own."""
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def s3_client(s3_url: str) -> Iterator[S3Client]:
    with operators_client(s3_settings(s3_url)) as client:
        yield client


@pytest.fixture
def bucket(s3_url: str, s3_client: S3Client) -> Iterator[Bucket]:
    with new_bucket(s3_client, s3_settings(s3_url)) as bucket:
        yield bucket


@pytest.fixture
def key_prefix() -> str:
    """A prefix that no other test uses, with a hash tag as the stores want it."""
    return f"{{test-{secrets.token_hex(8)}}}:"
