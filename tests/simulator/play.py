"""Plays a schedule, and then lets everything come to its end."""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from redis import Redis

from tests.simulator.events import EVENTS
from tests.simulator.oracle import MAY_STAY, Violation, require
from tests.simulator.world import World

_CHECK_EVERY: Final = 8
_ROUNDS: Final = 60
"""In so many rounds without faults everything has to end."""


class Step(NamedTuple):
    """An event of a schedule; what it does in particular follows from its number alone."""

    event: str
    number: int


class Played(NamedTuple):
    """What came of a schedule."""

    violation: str
    """Empty where there was none."""
    log: list[str]
    events: int
    """How many were over by then."""


def _settle(world: World) -> None:
    """Without further faults everything comes to its end, and nothing is left of it."""
    world.log.append("[settle]")
    world.settles = True
    world.client.config_set("maxmemory", 0)
    world.blobs.mode = "works"
    for worker in world.workers:
        worker.storage, worker.is_sick, worker.is_frozen = world.blobs, False, False
    retried = False
    for _ in range(_ROUNDS):
        for event in ("work", "work", "bury", "courier", "courier"):
            _settle_one(world, event)
        world.advance(17)
        _settle_one(world, "reap")
        world.check()
        if not _is_open(world) and retried:
            break
        if not _is_open(world):
            retried = True
            _settle_one(world, "retry")
    still_open = _is_open(world)
    require(not still_open, "never ends:", still_open)
    for seconds in (61, 701, 3_701):
        world.advance(seconds)
        for _ in range(2):
            _settle_one(world, "sweep")
            _settle_one(world, "orphans")
            world.advance(101)
    world.check()
    left = {key for key in world.oracle.read() if key.partition(":")[0] not in MAY_STAY}
    require(not left, "left in the server:", left)
    require(not world.blobs.keys(), "left in the storage:", [*map(str, world.blobs.keys())])


def _settle_one(world: World, event: str) -> None:
    for number in range(len(world.workers) if event in {"work", "courier"} else 2):
        EVENTS[event].happen(world, random.Random(number))
    for _ in range(400):
        ready = [actor for actor in world.actors if actor.at != "hang"]
        if not ready:
            return
        world.go_on(ready[0])


def _is_open(world: World) -> list[str]:
    known, errands = world.oracle.known, world.ledger.errands.due()
    still_open = [name for name in known.items if name not in known.ends]
    return still_open or ["errands"] * errands


def play(client: Redis, other: Redis, seed: int, schedule: Sequence[Step], *, settles: bool = True) -> Played:
    """Run a schedule on an empty server, and let everything come to its end."""
    world, number = World(client, other, seed), 0
    with world.standing():
        try:
            for number, step in enumerate(schedule):
                world.log.append(f"[{step.event} {step.number}]")
                EVENTS[step.event].happen(world, random.Random(step.number))
                if number % _CHECK_EVERY == 0 or step.event in {"rollback", "sweep"}:
                    world.check()
            if settles:
                number = len(schedule)
                _settle(world)
        except Violation as violation:
            return Played(str(violation), world.log, number)
        except Exception as error:
            return Played(f"{type(error).__name__}: {error}", world.log, number)
    return Played("", world.log, number)
