"""Fixtures: a gateway on memory parts, and one on each ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
import structlog
from limits.storage import MemoryStorage, Storage

from cutgate.gateway.accounts.accounts import KeyTable
from cutgate.gateway.accounts.key_pairs import Accounts
from cutgate.gateway.accounts.rates import redis_storage
from cutgate.gateway.accounts.tables import MemoryKeyTable, RedisKeyTable
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ledger.presence import Presence
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.events import RedisTaskEvents
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.presence import RedisPresence
from cutgate.jobs.ledger.store import LedgerStore
from cutgate.jobs.testing import MemoryBlobStore, MemoryLedger, MemoryPresence
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY, Harness, make_settings


@pytest.fixture
def memory_key_table() -> KeyTable:
    return MemoryKeyTable()


@pytest.fixture
def redis_key_table(redis_url: str, key_prefix: str) -> Iterator[KeyTable]:
    with connect(redis_url) as client:
        yield RedisKeyTable(client, key_prefix=key_prefix)


@pytest.fixture(params=["memory", "redis"])
def key_table(request: pytest.FixtureRequest) -> KeyTable:
    return cast("KeyTable", request.getfixturevalue(f"{request.param}_key_table"))


@pytest.fixture
def memory_windows() -> Storage:
    return MemoryStorage()


@pytest.fixture
def redis_windows(redis_url: str, key_prefix: str) -> Iterator[Storage]:
    with connect(redis_url) as client:
        yield redis_storage(client, key_prefix=key_prefix)


@pytest.fixture(params=["memory", "redis"])
def windows(request: pytest.FixtureRequest) -> Storage:
    return cast("Storage", request.getfixturevalue(f"{request.param}_windows"))


def _harness(
    table: KeyTable, store: LedgerStore, events: TaskEvents, presence: Presence, windows: Storage
) -> Harness:
    settings = make_settings()
    accounts = Accounts(table, settings.master_key_bytes())
    accounts.add(ACCOUNT, public_key=PUBLIC_KEY, private_key=PRIVATE_KEY)
    return Harness(
        settings=settings,
        accounts=accounts,
        store=store,
        events=events,
        presence=presence,
        blobs=MemoryBlobStore(),
        windows=windows,
    )


@pytest.fixture
def memory_gateway(memory_key_table: KeyTable, memory_windows: Storage) -> Harness:
    ledger = MemoryLedger(make_settings().ledger_limits())
    return _harness(memory_key_table, ledger, ledger.events, MemoryPresence(), memory_windows)


@pytest.fixture
def redis_gateway(
    redis_url: str, redis_key_table: KeyTable, redis_windows: Storage, key_prefix: str
) -> Iterator[Harness]:
    with connect(redis_url) as client, RedisTaskEvents(redis_url, key_prefix=key_prefix) as events:
        yield _harness(
            redis_key_table,
            RedisLedger(client, make_settings().ledger_limits(), key_prefix=key_prefix),
            events,
            RedisPresence(client, key_prefix=key_prefix),
            redis_windows,
        )


@pytest.fixture(params=["memory", "redis"])
def gateway(request: pytest.FixtureRequest) -> Harness:
    """A gateway on each ledger in turn."""
    return cast("Harness", request.getfixturevalue(f"{request.param}_gateway"))


@pytest.fixture(autouse=True)
def _clean_log_context() -> Iterator[None]:
    yield
    structlog.contextvars.clear_contextvars()
