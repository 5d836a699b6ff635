"""Events of a schedule: what callers, workers, couriers and upkeep begin, and what befalls them."""

import copy
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.tasks.drafts import Draft, SourceUrl
from cutgate.gateway.tasks.submit import Submission
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ids import TaskUid, image_uuid, new_token
from cutgate.jobs.record import AccountCaps, Idempotency
from tests.jobs.build import DELIVERIES, SPEC
from tests.ledgers import lose_hints
from tests.simulator.lockstep import Actor
from tests.simulator.oracle import ACCOUNTS, require
from tests.simulator.parts import LATE_SECONDS
from tests.simulator.pictures import Effect, picture
from tests.simulator.world import World

_COPY: Final = """#!lua flags=allow-oom
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', ARGV[1]) end
"""


def _step(world: World, rng: random.Random) -> None:
    awake = [actor for actor in world.actors if not world.sleeps(actor)]
    if not awake:
        return
    actor = rng.choice(awake)
    for _ in range(rng.choice([1, 1, 2, 4, 40])):
        fate = rng.choices(["", "again", "cut", "lost"], [83, 10, 4, 3])[0]
        world.go_on(actor, fate)
        if actor.ended or actor.at == "hang" or actor.at.endswith("hangs"):
            return


def _drafts(
    world: World, source: str, effects: Sequence[Effect], chosen: tuple[TaskUid, str] | None
) -> list[Draft]:
    """Pictures in bytes, one to be fetched, or one that was kept; none where that is gone."""
    if source in {"url", "keep"}:
        url = f"https://pictures.example/{int(effects[0])}"
        return [Draft(source=SourceUrl(url, keep=source == "keep"), spec=SPEC)]
    if source == "bytes" or chosen is None:
        return [Draft(source=picture(effect), spec=SPEC) for effect in effects]
    found = world.pictures.find(chosen[1], image_uuid(chosen[0]))
    return [] if found is None else [Draft(source=found, spec=SPEC)]


def _submit(world: World, rng: random.Random) -> None:
    account = rng.choice(ACCOUNTS)
    harmful = [Effect.BAD, *(list(Effect) if account == "bob" else [])]
    source = rng.choices(["bytes", "url", "keep", "upload"], [70, 15, 5, 10])[0]
    count = rng.choice([1, 1, 2, 3]) if source == "bytes" else 1
    effects = [rng.choice(harmful) if rng.random() < 0.3 else Effect.GOOD for _ in range(count)]
    joins, name = rng.choices([(120.0, None), (None, f"name-{rng.randrange(3)}"), (None, None)], [40, 20, 40])[0]
    effects = effects if joins is None else effects[:1]  # so that many are equal
    submission = partial(
        Submission,
        account=Account(name=account),
        origin="test",
        name=name,
        joins_seconds=joins,
        urgent=rng.random() < 0.5,
        price=rng.randrange(4),
        deliveries=DELIVERIES if rng.random() < 0.3 else (),
    )
    patience, gives_up = rng.randrange(6), rng.random() < 0.5
    chosen = rng.choice(world.uploads) if world.uploads else None

    def call() -> None:
        drafts = _drafts(world, source, effects, chosen)
        if not drafts:
            return
        uid = world.submissions.submit(submission(drafts=drafts))
        world.tasks.append((uid, account))
        if joins is None and not gives_up:
            return
        for _ in range(patience):
            if world.ledger.tasks.ended([uid], account):
                return
        if joins is not None:
            world.ledger.tasks.leave(uid, account)

    world.begin("caller", call)


def _keep(world: World, rng: random.Random) -> None:
    account, key = rng.choice(ACCOUNTS), rng.choice([None, "upload-1"])
    named = None if key is None else Idempotency(key=key, content_digest="d")

    def call() -> None:
        upload = world.pictures.keep(Account(name=account), picture(Effect.GOOD).data, named)
        world.uploads.append((upload.uid, account))

    world.begin("keeper", call)


def _drop(world: World, rng: random.Random) -> None:
    if world.uploads:
        uid, account = rng.choice(world.uploads)
        world.begin("dropper", partial(world.pictures.drop, account, image_uuid(uid), rng.choice([None, "drop"])))


def _terminate(world: World, rng: random.Random) -> None:
    if world.tasks:
        world.begin("ender", partial(world.ledger.tasks.terminate, *rng.choice(world.tasks[-6:])))


def _retry(world: World, rng: random.Random) -> None:
    """An operator has what failed through no fault of its picture wait again."""
    known = world.oracle.known
    failed = [uid for uid in known.made if uid not in known.gone and known.to_retry(uid)]
    ended = failed if world.settles else failed or [*known.made]
    if not ended:
        return
    uid = TaskUid(rng.choice(ended))
    caps = AccountCaps(queue=None if world.settles else rng.choice([None, None, 1]))
    for name in known.to_retry(uid):
        item = known.items[name]
        if item.source in world.oracle.lost and item.effect is not None and rng.random() < 0.8:
            world.oracle.lost.discard(item.source)  # it was put back
            world.blobs._blobs[item.source] = picture(item.effect).data

    def retry() -> None:
        for task in world.ledger.tasks.find([uid]):
            world.ledger.tasks.retry(task, caps)

    world.begin("operator", retry)


def _read(world: World, rng: random.Random) -> None:
    """What a caller is shown is what is kept."""
    if world.tasks:
        uid, account = rng.choice(world.tasks)
        task = world.ledger.tasks.get(uid, account)
        names = [name for name in world.oracle.known.items if name.startswith(uid)]
        if task is not None and all(name in world.oracle.known.ends for name in names):
            ends = [world.oracle.known.ends[name].state for name in names]
            require([item.state for item in task.items] == ends, uid, "is shown as", task.items, "and is", ends)
            require(world.ledger.tasks.ended([uid], account) == (uid,), uid, "is not said to have ended")


def _grant(world: World, rng: random.Random) -> None:
    world.begin("admin", partial(world.ledger.accounts.grant, rng.choice(ACCOUNTS[:2]), 20))


def _work(world: World, rng: random.Random) -> None:
    worker = rng.choice(world.workers)
    if worker.actor is None and not worker.is_frozen:
        worker.actor = Actor(worker.owner, worker.work)
        world.actors.append(worker.actor)
    if worker.actor is not None and not worker.is_frozen:
        world.run(worker.actor, rng.choice([1, 3, 40]))


def _crash(world: World, rng: random.Random) -> None:
    if not world.actors:
        return
    actor = rng.choice(world.actors)
    for worker in world.workers:
        if worker.actor is actor:
            world.log.append(f"{worker.owner} dies at {actor.at}")
            # Its machine may go as well; or it is told to stop, and gives back.
            end = rng.choice(["process", "machine", "stop"])
            worker.die(buried=end != "machine", died=end != "stop")
            return
    world.log.append(f"{actor.name} dies at {actor.at}")
    actor.crash()
    world.actors.remove(actor)


def _bury(world: World, rng: random.Random) -> None:
    if not world.unburied:
        return
    owner = rng.choice(sorted(world.unburied))

    def bury() -> None:
        world.ledger.claims.give_back_owned(owner, died=True)
        world.ledger.presence.leave(owner)
        world.unburied.discard(owner)

    world.begin("parent", bury)


def _freeze(world: World, rng: random.Random) -> None:
    """A worker at work falls silent, or one that did so goes on."""
    frozen = [worker for worker in world.workers if worker.is_frozen]
    worker = rng.choice(frozen or [worker for worker in world.workers if worker.beat] or world.workers)
    worker.is_frozen = not worker.is_frozen
    if worker.is_frozen:
        world.oracle.excuse(worker.owner)
    else:
        worker.let_beat()


def _sicken(world: World, rng: random.Random) -> None:
    worker = rng.choice(world.workers)
    if worker.actor is None:
        worker.is_sick = not worker.is_sick


def _remount(world: World, rng: random.Random) -> None:
    worker = rng.choice(world.workers)
    if worker.actor is None:
        worker.storage = world.foreign if worker.storage is world.blobs else world.blobs


def _courier(world: World, rng: random.Random) -> None:
    fails = "" if world.settles else rng.choices(["", "peer", "refused"], [80, 14, 6])[0]

    def carry() -> None:
        errand = world.ledger.errands.take("courier", new_token())
        if errand is None:
            return
        try:
            world.courier.run(errand)
        except ServiceUnavailable:
            world.ledger.errands.postpone(errand, 1)

    world.begin(f"courier {fails}".rstrip(), carry)


def _reap(world: World, rng: random.Random) -> None:
    world.run(world.begin("reaper", rng.choice(world.upkeep)["reap"]), rng.choice([1, 40]))


def _sweep(world: World, rng: random.Random) -> None:
    world.run(world.begin("sweeper", rng.choice(world.upkeep)["sweep"]), rng.choice([1, 40]))


def _orphans(world: World, rng: random.Random) -> None:
    world.run(world.begin("orphans", rng.choice(world.upkeep)["orphans"]), rng.choice([1, 40]))


def _clock(world: World, rng: random.Random) -> None:
    world.advance(rng.choice([0.7, 3, 3, 7, 7, 11, 23, 61, 61, 131, 131, 310, 701]))


def _age(world: World, rng: random.Random) -> None:
    """More than anything may wait."""
    world.advance(3_701)


def _late(world: World, rng: random.Random) -> None:
    """A call that was sent comes again, when nobody waits for it."""
    since = world.clock.time() - LATE_SECONDS
    calls = [call for call in world.calls if call[0] >= since]
    if calls:
        _, name, given = rng.choice(calls)
        world.log.append(f"late: {name} {given.get('item', given.get('uid', given.get('token', '')))}")
        with suppress(ServiceUnavailable):
            world.scripts.execute(name, given, late=True)


def _full(world: World, rng: random.Random) -> None:
    world.client.config_set("maxmemory", rng.choice([0, 0, 1]))


def _hints(world: World, rng: random.Random) -> None:
    lose_hints(world.ledger, rng.choice([1, None]))


def _away(world: World, rng: random.Random) -> None:
    """The server answers nobody for a while, or comes back with another id of its run: no claim can be renewed."""
    world.client.config_set("maxmemory", 0)
    reap, seconds = rng.choice(world.upkeep)["reap"], rng.choice([5, 17, 17, 40])
    if rng.random() < 0.5:
        world.run_id = f"run-{rng.randrange(10**6)}"
        world.advance(seconds, beats=False)
        world.run(world.begin("reaper", reap), 40)
    else:
        reaper = world.begin("reaper", reap)
        world.run(reaper, 1)  # it waits for an answer all the time
        world.advance(max(seconds, 11), beats=False)
        world.run(reaper, 40)


def _storage(world: World, rng: random.Random) -> None:
    world.blobs.mode = rng.choice(["works", "works", "works", "away", "hangs"])
    world.log.append(f"the storage {world.blobs.mode}")


def _lose(world: World, rng: random.Random) -> None:
    """The storage loses a blob, mostly one that somebody will ask for."""
    known, stored = world.oracle.known, sorted(world.blobs._blobs)
    awaited = {item.source for name, item in known.items.items() if name not in known.ends}
    if stored:
        key = rng.choice(sorted(awaited & {*stored}) or stored)
        world.log.append(f"lost: {key}")
        world.oracle.lost.add(key)
        world.blobs._blobs.pop(key)


def _snapshot(world: World, rng: random.Random) -> None:
    world.check()  # which learns of ends
    world.other.flushdb()
    world.client.eval(_COPY, 0, 1)
    world.snapshot = world.clock.now_ms, copy.deepcopy(world.oracle.known)


def _rollback(world: World, rng: random.Random) -> None:
    """The server comes back as it was: tasks since are unknown, ends since are made again.

    Sources that went since are lost; sweeps and errands under way had asked another server.
    """
    if world.snapshot is None or world.client.dbsize() == 0:
        return
    taken_ms, known = world.snapshot
    stopped = ("sweeper", "orphans", "reaper", "dropper", "courier", "admin", "operator")
    for actor in [actor for actor in world.actors if actor.name.startswith(stopped)]:
        actor.crash()
        world.actors.remove(actor)
    world.client.flushdb()
    world.other.eval(_COPY, 0, 0)
    world.clock.age((world.clock.now_ms - taken_ms) / 1_000)
    excused = world.oracle.known.excused
    world.oracle.known = copy.deepcopy(known)
    world.oracle.known.excused |= excused | set(known.claims)
    world.oracle.lost |= world.named_blobs() - set(world.blobs._blobs)
    world.calls.clear()
    world.oracle.leaders.clear()
    world.epoch += 1


class Event(NamedTuple):
    """What may happen, and how often it does beside the others."""

    weight: int
    happen: Callable[[World, random.Random], None]


EVENTS: Final = {
    "step": Event(340, _step),
    "submit": Event(90, _submit),
    "work": Event(120, _work),
    "courier": Event(45, _courier),
    "clock": Event(60, _clock),
    "reap": Event(40, _reap),
    "late": Event(70, _late),
    "crash": Event(25, _crash),
    "bury": Event(20, _bury),
    "terminate": Event(10, _terminate),
    "sweep": Event(16, _sweep),
    "orphans": Event(6, _orphans),
    "freeze": Event(28, _freeze),
    "sicken": Event(5, _sicken),
    "remount": Event(4, _remount),
    "keep": Event(8, _keep),
    "drop": Event(4, _drop),
    "read": Event(12, _read),
    "grant": Event(3, _grant),
    "full": Event(8, _full),
    "hints": Event(6, _hints),
    "away": Event(16, _away),
    "retry": Event(25, _retry),
    "storage": Event(16, _storage),
    "lose": Event(8, _lose),
    "snapshot": Event(4, _snapshot),
    "rollback": Event(3, _rollback),
    "age": Event(2, _age),
}
