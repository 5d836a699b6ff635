"""Fixtures for every package's tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.redis_server import redis_server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A running server that all tests share; each keeps to its own `key_prefix`."""
    with redis_server() as url:
        yield url


@pytest.fixture
def key_prefix() -> str:
    """A prefix that no other test uses, with a hash tag as the stores want it."""
    return f"{{test-{secrets.token_hex(8)}}}:"
