"""What the courier's tests build: settings, a fetcher, and a courier's parts on a ledger of their own."""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx

from cutgate.courier.addresses import OutsideRules
from cutgate.courier.connection import Outside, Resolve, system_resolve
from cutgate.courier.errands import ErrandRunner
from cutgate.courier.fetch import Fetcher
from cutgate.courier.process import make_runner
from cutgate.courier.settings import CourierSettings
from cutgate.jobs.ids import TaskUid, new_token, result_key
from cutgate.jobs.ledger.errands import Errand
from cutgate.jobs.record import Delivery, Result, Task
from cutgate.jobs.spec import Lane
from tests.fakes import InlineQueue, ManualClock, MemoryBlobStore
from tests.gateway.harness import MASTER_KEY
from tests.jobs.build import LANE, claim_next, new_task
from tests.ledgers import FreshLedger

MAX_BYTES = 200_000


def make_settings(**changes: Any) -> CourierSettings:
    """Settings that do not depend on the environment's."""
    return CourierSettings(master_key=MASTER_KEY, **changes)


@functools.cache
def usual_tls() -> ssl.SSLContext:
    """What knows the usual authorities; made once, for reading them all takes long."""
    return httpx.create_ssl_context()


def make_fetcher(
    ports: Sequence[int],
    allowed: Sequence[str] = (),
    *,
    resolve: Resolve = system_resolve,
    authority: Path | None = None,
    total_seconds: float = 10,
    read_seconds: float = 5,
) -> Fetcher:
    """A fetcher as the settings' defaults say, but for ports, limits and networks that are no public ones."""
    settings = make_settings()
    tls = usual_tls()
    if authority is not None:
        tls = httpx.create_ssl_context()
        tls.load_verify_locations(authority)
    outside = Outside(
        rules=OutsideRules(ports=frozenset(ports), allowed=tuple(map(ip_network, allowed))),
        connect_seconds=2,
        read_seconds=read_seconds,
        tls=tls,
        resolve=resolve,
    )
    return Fetcher(
        outside=outside,
        max_bytes=MAX_BYTES,
        max_redirects=settings.courier_redirects,
        media_types=settings.courier_media_types,
        total_seconds=total_seconds,
    )


ACCOUNT = "alice"
RESULT = b"\x89PNG of a result"


def rendered(task: Task) -> bytes:
    """A body as a façade may make it."""
    return json.dumps({"task": task.uid, "status": task.status, "text": "Ä"}).encode()


class CourierParts:
    """A ledger on a clock of its own, blobs, and what runs errands."""

    def __init__(self, port: int, **settings: Any) -> None:
        self.settings = make_settings(
            **{"courier_ports": (port,), "courier_allowed_networks": "127.0.0.1/32", "courier_read_seconds": 2}
            | settings
        )
        self.clock = ManualClock()
        self.store = FreshLedger(self.settings.ledger_limits(), self.clock)
        self.blobs = MemoryBlobStore()
        self.hints: list[Lane] = []
        self.secrets: dict[str, str] = {}

    def runner(
        self, draw: Callable[[], float] = lambda: 1.0, **renderers: Callable[[Task], bytes]
    ) -> ErrandRunner:
        made = make_runner(
            self.settings,
            store=self.store,
            blobs=self.blobs,
            queue=InlineQueue(self.hints.append),
            renderers={"test": rendered} | renderers,
            secret_of=self.secrets.get,
            tls=usual_tls(),
        )
        return replace(made, draw=draw)

    def source_at(self, url: str, account: str = ACCOUNT, *, keep: bool = False) -> TaskUid:
        """A task of one item that is still to be fetched."""
        task = new_task(account=account)
        items = (replace(task.items[0], source_url=url, keep=keep),)
        self.store.create(replace(task, items=items))
        return task.uid

    def ended(self, *deliveries: Delivery, origin: str = "test") -> TaskUid:
        """A task that is done, and its result in place."""
        task = new_task(account=ACCOUNT)
        self.store.create(replace(task, deliveries=deliveries, origin=origin))
        claim = claim_next(self.store, LANE)
        blob = result_key(task.uid, 0, claim.token)
        self.blobs.put(blob, RESULT)
        result = Result(blob=blob, media_type="image/png", width_px=8, height_px=8, size_bytes=len(RESULT))
        assert self.store.finish(claim, result)
        return task.uid

    def take(self) -> Errand:
        """The errand that is due now."""
        errand = self.store.take_errand("courier-1", new_token())
        assert errand is not None
        return errand

    def nothing_is_due(self, within_seconds: float = 50_000) -> bool:
        """Whether no errand falls due by then; the default is less than a task's retention."""
        self.clock.advance(within_seconds)
        return self.store.take_errand("courier-1", new_token()) is None

    def task(self, uid: TaskUid) -> Task:
        task = self.store.get(uid, ACCOUNT)
        assert task is not None
        return task


def reasons(events: Sequence[Mapping[str, Any]]) -> list[object]:
    """What captured lines of the log say why."""
    return [event["reason"] for event in events if "reason" in event]
