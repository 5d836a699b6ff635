"""Fixtures for every package's tests."""

from __future__ import annotations

import ipaddress
import os
import random
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from hypothesis import settings

from tests.ledgers import fresh_prefix, server_url, stop_listening
from tests.needs import Needs
from tests.pictures.models import tiny_settings, weights_dir
from tests.scheduling import Scheduling
from tests.servers.ports import OWN_ADDRESSES
from tests.servers.redis_server import RESTARTABLE, redis_server
from tests.servers.s3_server import Bucket, new_bucket, operators_client, s3_server, s3_settings
from tests.servers.stack import stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["stack", "tiny_settings", "weights_dir"]

# A shell starts what runs in its background with Ctrl-C switched off, and our own processes would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


SEED: Final = os.environ.setdefault("CUTGATE_TEST_SEED", str(secrets.randbelow(10**9)))
"""Of everything random in this run; the processes that pytest starts beside this one inherit it."""

settings.register_profile("cutgate", deadline=None, print_blob=True)
settings.load_profile("cutgate")


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be skipped unnoticed and none speak to another host; share tests out to processes."""
    config.pluginmanager.register(Needs())
    config.pluginmanager.register(Scheduling())
    sys.addaudithook(refuse_other_hosts)


def pytest_report_header() -> str:
    """Say how this run is repeated."""
    return f"seed: CUTGATE_TEST_SEED={SEED}"


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """Each test draws its own numbers, whichever tests run before it."""
    random.seed(f"{SEED} {request.node.nodeid}")


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What commands remember of their results is not what those of whoever runs the tests remember."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.getbasetemp() / "state")


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    stop_listening()


@pytest.fixture(autouse=True)
def _logging_by_default() -> Iterator[None]:
    """No test finds the form or the place of log lines that another one chose."""
    yield
    structlog.reset_defaults()


class OtherHost(BaseException):
    """A test connects to another machine. No `Exception`: the code under test would take it for a peer's fault."""


def refuse_other_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: connections go to this machine alone."""
    if event in {"socket.connect", "socket.sendto"}:
        _socket, address = arguments
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise OtherHost(f"a test connects to {address}")


def _is_here(host: str) -> bool:
    if host == "localhost" or host in OWN_ADDRESSES:
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    return False


@pytest.fixture
def redis_url() -> str:
    """A running server that all tests share; each keeps to its own `key_prefix`."""
    return server_url()


@pytest.fixture
def own_url() -> Iterator[str]:
    """A server that no other test uses and that can start anew with its data."""
    with redis_server(*RESTARTABLE) as url:
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
    """A prefix that no other test uses."""
    return fresh_prefix()
