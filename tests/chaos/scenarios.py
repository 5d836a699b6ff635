"""What is done to the running service: one row a scenario."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.ids import BlobKey
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.limits import LedgerLimits
from cutgate.worker.settings import NetworkSettings
from tests.chaos.pictures import Effect
from tests.chaos.service import AWAY, COURIER, GATEWAY, LEASE_SECONDS, SERVER, WORKERS, Service
from tests.chaos.stand_ins import AFTER_CLAIM, AFTER_FINISH, AFTER_RESULT, BEFORE_ANSWER, RAISING, UNMOUNTED

PAST_LEASE_SECONDS: Final = LEASE_SECONDS * 1.75
AWAY_SECONDS: Final = 1.0
"""How long the new master is alone, and takes no writes."""
SERVES_SECONDS: Final = 1.0
"""How long a gateway that has started serves at least."""

Fault = Callable[[Service], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    chances: Mapping[str, float] = field(default_factory=dict)
    """Fault points that are live, each with its chance."""
    fault: Fault | None = None
    """Done again and again while jobs come in."""
    every_seconds: float = 1
    """Pause between two faults."""
    effects: tuple[Effect, ...] = (Effect.NONE,)
    """What the jobs' pictures do, in turn."""
    settings: tuple[tuple[str, str], ...] = ()
    """Environment variables of the service, where they differ."""
    corrected_every: int = 0
    """Of so many jobs one is a correction of the one before, once that has its result; 0: none."""
    held: bool = False
    """Whether callers are held until their results, over backgrounds by URL, are there: remove.bg's protocol."""
    with_copy: bool = False
    """Whether the server has a copy, and a sentinel that can make it the master."""


def kill_worker(service: Service) -> None:
    """Kill -9 a worker: its computing child, its parent, or all of it."""
    name = ready_worker(service)
    if name is None:
        return
    leader = service.leader(name)
    victims = {
        "child": [pid for pid in service.members(name) if pid != leader],
        "parent": [leader],
        "all": service.members(name),
    }
    service.faults.note()
    for pid in victims[random.choice(sorted(victims))]:
        _signal(os.kill, pid, signal.SIGKILL)


def stop_worker(service: Service) -> None:
    """Stop a worker in order, as a new version's roll-out does."""
    name = ready_worker(service)
    if name is not None:
        service.faults.note()
        _signal(os.kill, service.leader(name), signal.SIGTERM)


def freeze_worker(service: Service) -> None:
    """Freeze a worker past its lease, and let it go on as if nothing had been."""
    name = ready_worker(service)
    if name is None:
        return
    group = service.leader(name)
    service.faults.note()
    _signal(os.killpg, group, signal.SIGSTOP)
    try:
        time.sleep(PAST_LEASE_SECONDS)
    finally:
        _signal(os.killpg, group, signal.SIGCONT)


def kill_server(service: Service) -> None:
    """Kill -9 the Redis-protocol server; it comes back on the same append-only file."""
    service.faults.note()
    _signal(os.kill, service.leader(SERVER), signal.SIGKILL)


def fail_over(service: Service) -> None:
    """Kill -9 the master; the sentinel makes its copy the next one, and it comes back as the copy of that."""
    assert service.watched is not None
    service.faults.note()
    service.watched.fail_over()
    time.sleep(AWAY_SECONDS)
    service.watched.bring_back()


def kill_gateway(service: Service) -> None:
    service.wait_for_gateway()
    time.sleep(SERVES_SECONDS)  # on a slow machine one would never serve otherwise
    service.faults.note()
    _signal(os.killpg, service.leader(GATEWAY), signal.SIGKILL)


def kill_courier(service: Service) -> None:
    service.faults.note()
    _signal(os.killpg, service.leader(COURIER), signal.SIGKILL)


def kill_a_part(service: Service) -> None:
    """Kill -9 a worker, the courier or the gateway."""
    random.choice((kill_worker, kill_courier, kill_gateway))(service)


def cut_workers_off(service: Service) -> None:
    """Cut the network between all workers and the server for longer than a lease."""
    service.faults.note()
    with service.worker_wire.cut():
        time.sleep(PAST_LEASE_SECONDS)


def lose_replies(service: Service) -> None:
    """Break connections in place of replies for a while; the calls have taken effect."""
    wires = (service.gateway_wire, service.worker_wire)
    for wire in wires:
        wire.loss_chance = 0.03
    try:
        time.sleep(2)
    finally:
        for wire in wires:
            wire.loss_chance = 0


def fill_disk(service: Service) -> None:
    """Let no process of gateway and workers write to a file for a while: the disk is full."""
    service.faults.note()
    with no_room(service):
        time.sleep(PAST_LEASE_SECONDS)


def fill_server(service: Service) -> None:
    """Leave the Redis-protocol server no memory for a while, as when too many tasks are kept."""
    with suppress(*AWAY):
        used_bytes = service.client.info("memory")["used_memory"]
        service.faults.note()
        service.client.config_set("maxmemory", used_bytes)
        time.sleep(PAST_LEASE_SECONDS)
        service.client.config_set("maxmemory", 0)


def unmount_storage(service: Service) -> None:
    """Let a worker find none of its pictures any more, beside others that do."""
    name = ready_worker(service)
    if name is not None:
        service.faults.strike(UNMOUNTED, service.leader(name))


def hang_storage(service: Service) -> None:
    """Let no call of the storage return for longer than a task may take."""
    seconds = service.limits.job_timeout_seconds * 1.1
    service.faults.hang_storage(seconds)
    time.sleep(seconds)


def restore_snapshot(service: Service) -> None:
    """Go back to a copy of the server's data; sources of items that ended after it are gone from the storage."""
    with service.snapshot():
        time.sleep(PAST_LEASE_SECONDS)
        ended = [BlobKey.parse(str(key)) for key in service.client.zrange(f"{KEY_PREFIX}spent", 0, -1)]
        FileBlobStore(service.blob_dir).delete(*ended)
        service.faults.note()


def break_network(service: Service) -> None:
    """Let a worker's network raise whatever it is given, as after a fault of its GPU."""
    name = ready_worker(service)
    if name is not None:
        service.faults.strike(RAISING, service.leader(name))


@contextmanager
def no_room(service: Service) -> Iterator[None]:
    """Set every process's limit on a file's size to nothing."""
    _limit_files(service, 0)
    try:
        yield
    finally:
        _limit_files(service, resource.RLIM_INFINITY)


def _limit_files(service: Service, size_bytes: int) -> None:
    for name in (GATEWAY, *WORKERS):
        for pid in service.members(name):
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def _signal(send: Callable[[int, int], None], target: int, number: int) -> None:
    """Send a signal to a process or group of the service, which may have died by itself just now."""
    with suppress(ProcessLookupError):
        send(target, number)


def ready_worker(service: Service) -> str | None:
    """A worker that can be met at work; none while the server is away."""
    try:
        workers = service.ready_workers()
    except LedgerUnavailable:
        return None
    return random.choice(workers) if workers else None


def anything(service: Service) -> None:
    random.choice(ALL_FAULTS)(service)


ALL_FAULTS: Final[tuple[Fault, ...]] = (
    kill_worker,
    stop_worker,
    freeze_worker,
    kill_server,
    kill_gateway,
    kill_courier,
    cut_workers_off,
    lose_replies,
    fill_disk,
    fill_server,
    unmount_storage,
    break_network,
)
_AS_SHIPPED: Final = tuple(
    (f"CUTGATE_{name.upper()}", str(LedgerLimits.model_fields[name].default))
    for name in ("lease_seconds", "max_attempts", "job_timeout_seconds")
)
"""Attempts, lease and time of a task as they are by default."""
_STEPS: Final = {AFTER_CLAIM: 0.05, AFTER_RESULT: 0.05, AFTER_FINISH: 0.05}

SCENARIOS: Final = (
    Scenario(name="worker killed, once a second", fault=kill_worker),
    Scenario(name="worker dies between two steps", chances=_STEPS),
    Scenario(name="worker stopped in order", fault=stop_worker, every_seconds=1.5),
    Scenario(name="worker frozen past its lease", fault=freeze_worker, every_seconds=0.5),
    Scenario(name="workers cut off from Redis", fault=cut_workers_off, every_seconds=1.5),
    Scenario(name="replies of Redis lost", fault=lose_replies, every_seconds=0.2),
    Scenario(name="Redis killed and restarted", fault=kill_server, every_seconds=2),
    Scenario(name="gateway killed", fault=kill_gateway, every_seconds=2),
    Scenario(name="gateway dies between record and answer", chances={BEFORE_ANSWER: 0.2}),
    Scenario(name="disk full", fault=fill_disk, every_seconds=1.5),
    Scenario(name="Redis full and relieved", fault=fill_server, every_seconds=1.5),
    Scenario(name="a node without its volume", fault=unmount_storage, every_seconds=3),
    Scenario(name="a network that raises for ever", fault=break_network, every_seconds=3),
    Scenario(
        name="callers held, worker, courier or gateway killed", fault=kill_a_part, every_seconds=2, held=True
    ),
    Scenario(
        name="results corrected, worker, courier or gateway killed",
        fault=kill_a_part,
        every_seconds=1,
        chances={**_STEPS, BEFORE_ANSWER: 0.05},
        corrected_every=2,
    ),
    Scenario(name="all of these", fault=anything, chances={**_STEPS, BEFORE_ANSWER: 0.05}, corrected_every=5),
    Scenario(name="Redis's master killed, failover", fault=fail_over, every_seconds=2, with_copy=True),
    Scenario(
        name="storage hangs longer than a task may take",
        fault=hang_storage,
        every_seconds=5,
        settings=(*_AS_SHIPPED, ("CUTGATE_JOB_TIMEOUT_SECONDS", "16")),
    ),
    Scenario(name="Redis restored from a snapshot", fault=restore_snapshot, every_seconds=4, settings=_AS_SHIPPED),
    Scenario(
        name="pictures that make the pipeline raise",
        effects=(Effect.NONE,) * 4 + (Effect.RAISE,),
        settings=_AS_SHIPPED,
    ),
    Scenario(
        name="pictures that kill or hang their worker",
        effects=(Effect.NONE,) * 4 + (Effect.POISON,) + (Effect.NONE,) * 4 + (Effect.HANG,),
        settings=(("CUTGATE_MAX_ATTEMPTS", "3"), ("CUTGATE_JOB_TIMEOUT_SECONDS", "4")),
    ),
)


def with_the_default_network() -> Scenario:
    """Workers killed while they run the network that the service runs by default; its weights must be here."""
    network = NetworkSettings()
    return Scenario(
        name="worker killed, default network",
        fault=kill_worker,
        every_seconds=8,
        settings=(
            ("CUTGATE_MODEL", network.model),
            ("CUTGATE_MODELS_DIR", str(network.models_dir)),
            ("CUTGATE_CACHE_DIR", str(network.cache_dir)),
        ),
    )
