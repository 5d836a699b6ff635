"""Parts of the service whose calls are steps: storage, the ledger's scripts, workers."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable, ServiceUnavailable
from cutgate.worker.process import runner
from cutgate.worker.process.health import Health
from cutgate.worker.process.heartbeat import Heartbeat
from tests.fakes import MemoryBlobStore
from tests.jobs.build import LANE
from tests.ledgers import lose_hints
from tests.simulator.clock import timed_scripts
from tests.simulator.lockstep import Actor, Crashed
from tests.simulator.oracle import ANSWERS_AGAIN
from tests.simulator.pictures import LIMITS, read_image

if TYPE_CHECKING:
    from tests.simulator.world import World

LATE_SECONDS: Final = 50.0
"""How late a call may come again, within what the ledger remembers of it."""
_REPEATED: Final = (
    ANSWERS_AGAIN | {"look", "claim", "renew", "terminate", "reap", "take_errand"} | {"keep_upload", "drop_upload"}
)
"""Scripts whose calls may come again when nobody waits for them any more."""


class Storage(MemoryBlobStore):
    """Blobs of a storage that fails, hangs and loses; each call is a step of whoever makes it."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world, self.mode = world, "works"
        for name in ("put", "get", "copy", "delete", "delete_task", "check"):
            setattr(self, name, partial(self._asked, name, getattr(self, name)))

    def _asked(self, name: str, call: Callable[..., Any], *given: Any) -> Any:
        fate = self._world.step(f"{name} {' '.join(map(str, given[:1]))}")
        while self.mode == "hangs" and self._world.now is not None:
            self._world.step(f"{name} hangs")
        if name == "delete" and (fate in {"cut", "lost"} or self.mode == "away"):
            self._world.oracle.spared |= set(map(str, given))
        if self.mode == "away" or fate == "cut":
            raise BlobStoreUnavailable("the storage is away")
        answer = call(*given)
        if fate == "lost":
            raise BlobStoreUnavailable("the storage fell silent")
        return answer


class Scripts:
    """The ledger's scripts; each run is a step, whose answer may be lost, and which may come again late."""

    def __init__(self, world: "World", scripts: Any) -> None:
        self._world, self._scripts = world, scripts
        scripts._texts = timed_scripts()
        scripts._digests = {name: sha1(text.encode()).hexdigest() for name, text in scripts._texts.items()}

    def run(self, name: str, **given: Any) -> Any:
        world = self._world
        try:
            fate = world.step(name)
        except Crashed:
            self._note(name, given)  # it was sent already
            raise
        if fate == "cut":
            self._note(name, given)
            raise LedgerUnavailable("the call was cut off")
        answer, began, epoch = self.execute(name, given), world.clock.time(), world.epoch
        if fate in {"lost", "again"}:
            world.oracle.known.excused.add(
                given.get("token", "")
            )  # nobody renews a claim before its answer is here
        if fate == "again":
            world.step(f"{name} again")
            if world.clock.time() - began < LATE_SECONDS:  # else the client has given up
                first, answer = answer, self.execute(name, given)
                if world.epoch == epoch:
                    world.oracle.compare(name, given, first, answer)
                return answer
        if fate in {"lost", "again"}:
            raise LedgerUnavailable("the answer was lost")
        return answer

    def execute(self, name: str, given: dict[str, Any], *, late: bool = False) -> Any:
        world = self._world
        if not late:
            self._note(name, given)
        if name == "retry":
            world.check()  # which learns of ends
        before = world.oracle.before(name, given)
        answer = self._scripts.run(name, **given)
        world.oracle.saw(name, given, answer, world.clock.now_ms, before, late)
        return answer

    def _note(self, name: str, given: dict[str, Any]) -> None:
        """Keep a call that may come again, or for the first time, when nobody waits for it any more."""
        if name in _REPEATED:
            self._world.calls.append((self._world.clock.time(), name, given))


class Worker:
    """A machine's worker: one process after the other, each with a name of its own."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self._number, self._count = world, number, 0
        self.be_born()

    def be_born(self) -> None:
        self._count += 1
        self.owner = f"worker-{self._number}.{self._count}"
        self.actor: Actor | None = None
        self.beat: Heartbeat | None = None
        self.is_frozen = self.is_sick = False
        self.storage: Any = self.world.blobs
        blobs: Any = Mounted(self)
        store: Any = self.world.ledger
        self.health = Health(store, blobs)
        self.runner = runner.Runner(
            store=store,
            blobs=blobs,
            health=self.health,
            predict_for=lambda _: self,  # type: ignore[arg-type, return-value]
            owner=self.owner,
            limits=LIMITS,
            beat_seconds=1e9,
            read_image=read_image,
        )

    def work(self) -> None:
        """As a child follows a hint."""
        if not lose_hints(self.world.ledger, 1) or not self.health.can_work():
            return
        claim = self.runner.claim([LANE])
        if claim is None:
            return
        store: Any = self.world.ledger
        self.beat = Heartbeat(store, claim, 1e9, self.world.clock.monotonic)
        self.runner.work_on(claim, self.beat)

    def let_beat(self) -> None:
        """As its thread does; and its parent ends a process that holds an item past its time."""
        if self.beat is None or self.actor is None or self.is_frozen:
            return
        with suppress(ServiceUnavailable):
            self.beat._renew()
        if self.beat.seconds_left() < -2:
            self.die(buried=True)

    def after_step(self) -> None:
        """Notice that the process has ended, or its item."""
        actor = self.actor
        if actor is None or not actor.ended:
            return
        if actor.error is not None and not isinstance(actor.error, ServiceUnavailable):
            raise actor.error
        if actor.error is not None:
            self.world.oracle.excuse(self.owner)
        if actor.crashed or self.health.is_broken:
            self.die(buried=True, died=actor.crashed)
        self.actor = self.beat = None

    def die(self, *, buried: bool, died: bool = True) -> None:
        """End between two steps; buried: its parent lives and knows. Who was told to end gives back at once."""
        if self.actor is not None:
            self.actor.crash()
            if self.actor in self.world.actors:
                self.world.actors.remove(self.actor)
        if not died:
            self.world.ledger.claims.give_back_owned(self.owner, died=False)
        else:
            self.world.oracle.excuse(self.owner)
            if buried:
                self.world.unburied.add(self.owner)
        self.be_born()


class Mounted:
    """The storage as a worker sees it, which may have another one mounted."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker.storage, name)
