"""A real gateway on memory parts, served over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from gateway.accounts import Accounts
from gateway.keytables import MemoryKeyTable
from jobs.testing import MemoryBlobStore, MemoryLedger, MemoryPresence
from keycut import Client
from tests.test_gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY, Harness, make_settings


@dataclass(frozen=True)
class Service:
    """A gateway's address, and the gateway behind it, whose worker the test plays."""

    url: str
    gateway: Harness

    def client(self, private_key: str = PRIVATE_KEY) -> Client:
        """A client of the account that exists."""
        return Client(self.url, PUBLIC_KEY, private_key)


@pytest.fixture
def service() -> Iterator[Service]:
    settings = make_settings()
    accounts = Accounts(MemoryKeyTable(), settings.master_key_bytes())
    accounts.add(ACCOUNT, public_key=PUBLIC_KEY, private_key=PRIVATE_KEY)
    ledger = MemoryLedger(settings.ledger_limits())
    gateway = Harness(
        settings=settings,
        accounts=accounts,
        store=ledger,
        events=ledger.events,
        presence=MemoryPresence(),
        blobs=MemoryBlobStore(),
    )
    server = make_server("127.0.0.1", 0, gateway.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with capture_logs():  # else the gateway's lines would stand among the command's, in one process
            yield Service(f"http://127.0.0.1:{server.server_port}", gateway)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
