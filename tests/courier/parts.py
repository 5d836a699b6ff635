"""What the courier's tests build: settings, a fetcher, and a courier's parts on a ledger of their own."""

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
from cutgate.courier.fetch import MEMORY_BYTES, Fetcher, MemoryBudget
from cutgate.courier.process import make_runner
from cutgate.courier.settings import CourierSettings
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Delivery, Errand, ErrandKind, ErrorFacts, Item, Task
from cutgate.jobs.spec import Lane
from tests.courier.outside import OutsideServer, Script, Visit
from tests.fakes import MemoryBlobStore
from tests.gateway.harness import MASTER_KEY
from tests.jobs.build import Ledger, result_of
from tests.ledgers import fresh_prefix, hints_of
from tests.ledgers import server as redis_server

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
        total_seconds=total_seconds,
        first_seconds=total_seconds,
        memory=MemoryBudget(MEMORY_BYTES),
    )


ACCOUNT = "alice"
RESULT = b"\x89PNG of a result"


def rendered(task: Task) -> bytes:
    """A body as a façade may make it."""
    return json.dumps({"task": task.uid, "status": task.status, "text": "Ä"}).encode()


class CourierParts:
    """A ledger, blobs and what runs errands, beside the one server outside that may be called."""

    def __init__(self, server: OutsideServer, **settings: Any) -> None:
        self.server = server
        self.settings = make_settings(
            **{"courier_ports": (server.port,), "courier_allowed_networks": server.host} | settings
        )
        self.store = Ledger(redis_server(), self.settings.ledger_limits(), key_prefix=fresh_prefix())
        self.clock = self.store.clock
        self.blobs = MemoryBlobStore()
        self.secrets: dict[str, str] = {}

    @property
    def hints(self) -> list[Lane]:
        """The lanes that workers were told of."""
        return hints_of(self.store)

    def runner(
        self, draw: Callable[[], float] = lambda: 1.0, **renderers: Callable[[Task], bytes]
    ) -> ErrandRunner:
        made = make_runner(
            self.settings,
            store=self.store,
            blobs=self.blobs,
            renderers={"test": rendered} | renderers,
            secret_of=self.secrets.get,
            tls=usual_tls(),
            read_seconds=2,
        )
        return replace(made, draw=draw)

    def run(self, errand: Errand | None = None) -> None:
        """Run an errand: the one that is due now, where none is named."""
        self.runner().run(errand or self.store.next_errand())

    def source_at(self, url: str, account: str = ACCOUNT, *, keep: bool = False) -> TaskUid:
        """A task of one item that is still to be fetched."""
        return self.store.submit(account=account, source_url=url, keep=keep).uid

    def source_from(self, script: Script, account: str = ACCOUNT, *, keep: bool = False) -> TaskUid:
        """The same, where the server answers by a script."""
        self.server.scripts["/"] = script
        return self.source_at(self.server.url("/?token=secret"), account, keep=keep)

    def callback(self, script: Script) -> Delivery:
        """A delivery to the server, which answers it by a script; so with `upload`."""
        self.server.scripts["/hook"] = script
        return Delivery(kind=ErrandKind.CALLBACK, url=self.server.url("/hook?key=s%2Bcret"))

    def upload(self, script: Script) -> Delivery:
        self.server.scripts["/put"] = script
        return Delivery(kind=ErrandKind.UPLOAD, url=self.server.url("/put?key=secret"))

    def ended(self, *deliveries: Delivery, origin: str = "test") -> TaskUid:
        """A task that is done, and its result in place."""
        claim = self.store.claimed(account=ACCOUNT, deliveries=deliveries, origin=origin)
        self.blobs.put(result_of(claim).blob, RESULT)
        assert self.store.claims.finish(claim, replace(result_of(claim), size_bytes=len(RESULT)))
        return claim.task

    def nothing_is_due(self, within_seconds: float = 50_000) -> bool:
        """Whether no errand falls due by then; the default is less than a task's retention."""
        self.clock.advance(within_seconds)
        return self.store.no_errand()

    def item(self, uid: TaskUid) -> Item:
        """A task's only item as it stands."""
        (item,) = self.store.task(uid).items
        return item

    def error(self, uid: TaskUid) -> ErrorFacts:
        """Why it failed."""
        error = self.item(uid).error
        assert error is not None
        return error


def confirm(visit: Visit) -> None:
    """Answers as a receiver that has understood."""
    visit.answer(204)


def answering(status: int) -> Script:
    """Answers with a status and nothing else."""
    return lambda visit: visit.answer(status)


def reasons(events: Sequence[Mapping[str, Any]]) -> list[object]:
    """What captured lines of the log say why."""
    return [event["reason"] for event in events if "reason" in event]
