"""Live workers: each announces itself periodically, and one that stays silent counts as gone.

A worker that offers several lanes announces each of them: a row says what computes in that lane.
"""

from dataclasses import dataclass

from cutgate.jobs.spec import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPresence:
    """What a live worker says of a lane that it offers."""

    owner: str
    """The name under which it claims."""
    lane: Lane
    model: str
    engine: str
    """The library that runs the network, with its version."""
    provider: str
    """The execution provider that is *active*, not the one that was asked for."""
    dtype: str
    """The type of number that the network computes in: `fp32`, `bf16`, `fp16` or `int8`; `as stored` where rembg's
    own session runs it."""
    threads: int


def owner_name(host: str, process: str) -> str:
    """The name under which a worker process claims and announces itself.

    Args:
        host: the machine or container.
        process: a name that no other of its worker processes has; without a hyphen.
    """
    return f"{host}-{process}"


def is_from(host: str, worker: WorkerPresence) -> bool:
    """Whether a worker runs on a host."""
    return worker.owner.rpartition("-")[0] == host
