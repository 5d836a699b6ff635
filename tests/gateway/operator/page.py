"""A gateway with the operator's page, and a ledger where something is going on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.record import Delivery, ErrandKind, Phase
from cutgate.jobs.redis_client import connect
from tests.gateway.installation import Installation, LiveGateway
from tests.jobs.build import LANE, URL, Ledger
from tests.servers.ports import free_port

KEY = "k" * 16 + "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}
SECRET_URL = "https://calls.example/done?key=secret"
MESSAGE = "the <b>picture</b> is gone"


@dataclass(frozen=True)
class Live:
    """A gateway with the page, and its ledger."""

    gateway: LiveGateway
    installation: Installation
    url: str
    ledger: Ledger

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/operator{path}", headers=headers, trust_env=False)

    def make_busy(self) -> str:
        """A task that failed, whose id this is, one that runs, one that waits for its picture, and a worker."""
        failed = self.ledger.claimed()
        self.ledger.claims.fail(failed, BlobMissing(MESSAGE).facts())
        running = self.ledger.claimed(deliveries=(Delivery(kind=ErrandKind.CALLBACK, url=SECRET_URL),))
        self.ledger.claims.renew(running, Phase.COMPUTING)
        self.ledger.done(self.ledger.claimed(account="bob"))
        self.ledger.submit(source_url=URL)
        worker = WorkerPresence(
            owner="w-1", lane=LANE, model="m", engine="onnxruntime 1.23", provider="CPU", dtype="fp32", threads=1
        )
        self.ledger.presence.announce(worker, ttl_seconds=600)
        return failed.task


@contextmanager
def live_page(installation: Installation) -> Iterator[Live]:
    port = free_port()
    settings = {"CUTGATE_METRICS_PORT": str(port), "CUTGATE_OPERATOR_KEY": KEY}
    with installation.serving(**settings) as gateway, connect(installation.redis_url) as client:
        yield Live(gateway, installation, f"http://127.0.0.1:{port}", Ledger(client))
