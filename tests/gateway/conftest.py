"""Fixtures: a gateway on real parts, with blobs in memory."""

from collections.abc import Iterator

import pytest

from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.observe import logs
from tests.gateway.harness import Harness, make_harness, make_settings
from tests.gateway.installation import Installation
from tests.ledgers import FreshLedger, fresh_key_table
from tests.servers.redis_server import redis_server


@pytest.fixture
def ledger() -> FreshLedger:
    return FreshLedger(make_settings().ledger_limits())


@pytest.fixture
def key_table(ledger: FreshLedger) -> KeyTable:
    return fresh_key_table(ledger.key_prefix)


@pytest.fixture
def gateway(ledger: FreshLedger) -> Harness:
    return make_harness(store=ledger).with_pair()


@pytest.fixture(scope="module")
def refusing() -> Harness:
    """A gateway for requests that are all refused, and leave it as it was."""
    return make_harness().with_pair()


@pytest.fixture(autouse=True)
def _constants(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for mark in reversed([*request.node.iter_markers("constants")]):  # the test's own last
        for name, value in mark.kwargs.items():
            monkeypatch.setattr(mark.args[0], name, value)


@pytest.fixture
def keys_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the keys whose records are read."""
    names: list[str] = []
    read_credential = KeyTable.read_credential

    def noted(table: KeyTable, name: str) -> tuple[str, str] | None:
        names.append(name)
        return read_credential(table, name)

    monkeypatch.setattr(KeyTable, "read_credential", noted)
    return names


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with redis_server() as redis_url:
        yield Installation(redis_url, tmp_path_factory.mktemp("installation") / "blobs")


@pytest.fixture(autouse=True)
def _clean_log_context() -> Iterator[None]:
    yield
    logs.begin()
