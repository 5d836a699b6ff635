"""A service in one process: callers, workers, couriers and upkeep over one server."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from redis import Redis
from structlog.testing import capture_logs

from cutgate.courier.errands import ErrandRunner
from cutgate.courier.errors import ExchangeFailed, ExchangeRefused, PeerFailed
from cutgate.gateway.pictures.kept import Pictures
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.submit import DraftRejected, PictureGone, Submissions
from cutgate.jobs.errors import (
    ServiceUnavailable,
    SubmissionRefused,
)
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ledger import upkeep
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Errand
from cutgate.jobs.spec import ModelChoice
from cutgate.jobs.upkeep.background import belong_together
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.leadership import Leadership
from cutgate.jobs.upkeep.reaper import Reaper
from cutgate.jobs.upkeep.retention import Sweeper
from cutgate.worker.process import runner
from tests.fakes import MemoryBlobStore
from tests.jobs.build import SPEC
from tests.ledgers import ReadableLedger
from tests.simulator.clock import Clock
from tests.simulator.lockstep import Actor
from tests.simulator.oracle import ACCOUNTS, Known, Oracle, require
from tests.simulator.parts import Scripts, Storage, Worker
from tests.simulator.pictures import LIMITS, Effect, cut_out, effect_of, finish, picture
from tests.simulator.records import Records

PREFIX: Final = "{simulated}:"
BEAT_SECONDS: Final = 5.0


class World:
    """All parts, and the events that a schedule is made of."""

    def __init__(self, client: Redis, other: Redis, seed: int) -> None:
        """Begin with an empty server; `other` is its database for snapshots."""
        self.client, self.other = client, other
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()
        drawn = random.Random(seed)
        self.limits = LedgerLimits(
            charge_strikes=drawn.random() < 0.3,
            keep_poisoned_source=drawn.random() < 0.3,
            retention_seconds=600,
            terminated_retention_seconds=200,
            upload_retention_seconds=900,
            idempotency_seconds=300,
            orphan_grace_seconds=400,
            source_max_age_seconds=200,
            account_queue_cap=5,
            account_upload_cap=3,
            account_errand_cap=2,
            strike_seconds=300,
        )
        self.credits = drawn.choice([10, 100])
        self.clock = Clock(client)
        self.oracle = Oracle(client, PREFIX, self.limits)
        self.oracle.effect_of = self._effect_of
        self.oracle.stored = lambda: set(self.blobs._blobs)
        self.ledger = ReadableLedger(
            client, self.limits, key_prefix=PREFIX, clock_offset_ms=lambda: self.clock.now_ms
        )
        self.scripts = Scripts(self, self.ledger.database._scripts)
        database: Any = self.ledger.database
        database._scripts = self.scripts
        self.now: Actor | None = None
        """Whose step it is."""
        self.fate = ""
        self.actors: list[Actor] = []
        self.calls: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=80)
        self.log: list[str] = []
        self.epoch = 0
        """Goes up with each return to a snapshot."""
        self.run_id, self.settles = "run-1", False
        self.unburied: set[str] = set()
        self.tasks: list[tuple[TaskUid, str]] = []
        self.uploads: list[tuple[TaskUid, str]] = []
        self.snapshot: tuple[int, Known] | None = None
        self.clock.sleep = lambda _: self.step("sleep")
        store: Any = self.ledger
        self.blobs = Storage(self)
        self.foreign = MemoryBlobStore()
        self.foreign.install("another")
        self.workers = [Worker(self, number) for number in range(3)]
        self.submissions = Submissions(
            store=store,
            blobs=self.blobs,
            limits=LIMITS,
            price=2,
            offers=Offers(
                presence=self.ledger.presence, own=ModelChoice(model=SPEC.model), memory_seconds=604_800
            ),
        )
        nothing: Any = None
        self.pictures = Pictures(
            store=store, blobs=self.blobs, paths=nothing, limits=LIMITS, retention_seconds=900
        )
        outside: Any = SimpleNamespace(fetch=self._fetch, deliver=self._deliver)
        self.courier = ErrandRunner(
            store=store,
            blobs=self.blobs,
            fetcher=outside,
            deliveries=outside,
            limits=LIMITS,
            delivery_seconds=3_600,
            draw=lambda: 1.0,
        )
        self.upkeep = [self._upkeep() for _ in range(2)]

    def _upkeep(self) -> dict[str, Callable[[], object]]:
        """What a process's threads of upkeep call."""
        store: Any = self.ledger
        sweeper = Sweeper(store, self.blobs, orphan_grace_seconds=self.limits.orphan_grace_seconds)
        installed = Installation(store, self.blobs)
        retention, orphans = Leadership(store, "retention", 25), Leadership(store, "orphans", 100)

        def sweep() -> None:
            if retention.holds() and belong_together(installed):
                sweeper.sweep(retention.holds)

        def sweep_orphans() -> None:
            if orphans.holds() and belong_together(installed):
                sweeper.sweep_orphans(however_many=True)
                sweeper.count_uploads()
                sweeper.sweep_usage()

        return {"reap": Reaper(store).sweep, "sweep": sweep, "orphans": sweep_orphans}

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Have the product run on this world's clock, pipeline and server for a block."""
        with ExitStack() as stack:
            stack.enter_context(capture_logs())
            stack.enter_context(self.clock.everywhere())
            stack.enter_context(patch.multiple(runner, cut_out=cut_out, finish=finish))
            stack.enter_context(patch.object(upkeep, "run_id", lambda _: self.run_id))
            stack.callback(self._end)
            Installation(self.ledger, self.blobs).require()
            self.ledger.upkeep.reap()  # it learns which run of the server this is
            for account in ACCOUNTS[:2]:
                self.ledger.accounts.grant(account, self.credits)
            yield

    def _end(self) -> None:
        for actor in self.actors:
            actor.crash()
        self.client.config_set("maxmemory", 0)

    def _effect_of(self, item: dict[str, Any]) -> Effect | None:
        if item.get("keep"):
            return None
        if "url" in item:
            return Effect(int(item["url"].rpartition("/")[2]))
        data = self.blobs._blobs.get(item["source"])
        require(data or item["source"] in self.oracle.lost, item["source"], "was accepted and is not there")
        return Effect(effect_of(data)) if data else None

    def step(self, what: str) -> str:
        """Stop the actor that calls until the schedule lets it go on; what befalls its next call."""
        actor = self.now
        if actor is None:
            return ""
        actor.pause(what)
        return self.fate

    def go_on(self, actor: Actor, fate: str = "") -> None:
        """Let an actor take a step."""
        self.log.append(f"{actor.name}: {actor.at} {fate}".rstrip())
        self.now, self.fate = actor, fate
        actor.step()
        self.now = None
        if actor.ended:
            self.actors.remove(actor)
        for worker in self.workers:
            if worker.actor is actor:
                worker.after_step()
                return
        if actor.ended and actor.error is not None:
            raise actor.error

    def begin(self, name: str, life: Callable[[], object]) -> Actor:
        def whole() -> None:
            with suppress(ServiceUnavailable, SubmissionRefused, DraftRejected, PictureGone):
                life()

        actor = Actor(name, whole)
        self.actors.append(actor)
        return actor

    def sleeps(self, actor: Actor) -> bool:
        return any(worker.actor is actor and worker.is_frozen for worker in self.workers)

    def run(self, actor: Actor, most: int) -> None:
        for _ in range(most):
            if actor not in self.actors or actor.at == "hang" or actor.at.endswith("hangs"):
                return
            self.go_on(actor)

    def _outside(self, what: str) -> None:
        """A server outside, which fails the courier as its name says."""
        self.step(what)
        name = self.now.name if self.now is not None else ""
        if name.endswith("peer"):
            raise PeerFailed("status", "it answers 503")
        if name.endswith("refused"):
            raise ExchangeRefused("status", "it answers 404")

    def _fetch(self, url: str, _: int) -> bytes:
        self._outside("fetch")
        return picture(Effect(int(url.rpartition("/")[2]))).data

    def _deliver(self, errand: Errand) -> bool:
        task = self.ledger.tasks.get(errand.task, errand.account)
        if task is None:
            self.oracle.require_expired(errand.task, self.clock.now_ms)
            self.oracle.delivered.add(errand.id)  # there is nobody to tell of it
            return False
        try:
            self._outside("deliver")
        except ExchangeFailed as failure:
            if isinstance(failure, ExchangeRefused) or errand.now_ms - errand.first_due_at_ms >= 3_600_000:
                self._told(errand)  # given up
            raise
        ended = task.ended_at_ms is not None or errand.token not in self.oracle.known.takings
        require(ended, errand.id, "is delivered before the task's end")
        self._told(errand)
        return True

    def _told(self, errand: Errand) -> None:
        """A delivery is over, unless its task was retried meanwhile: then it is due once more."""
        if errand.token in self.oracle.known.takings:
            self.oracle.delivered.add(errand.id)

    def advance(self, seconds: float, *, beats: bool = True) -> None:
        """Let time pass; live workers renew their leases meanwhile."""
        self.check()
        self.log.append(f"{seconds} s pass")
        left = seconds
        while left > 0:
            self.clock.advance(min(left, BEAT_SECONDS))
            left -= BEAT_SECONDS
            for worker in self.workers if beats else ():
                worker.let_beat()
        self.clock.age(seconds)

    def named_blobs(self) -> set[str]:
        """Every blob that the server's records name."""
        text = str(self.oracle.read())
        return {word for word in text.replace('"', " ").replace("'", " ").split() if _is_blob(word)}

    def check(self) -> None:
        """Compare everything that is kept with what was answered."""
        Records(self.oracle, self.limits, set(self.blobs._blobs), self.clock.now_ms).check()


def _is_blob(word: str) -> bool:
    try:
        BlobKey.parse(word)
    except ValueError:
        return False
    return True
