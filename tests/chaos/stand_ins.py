"""`python -m tests.chaos.stand_ins worker run`: the product's own process, with fault points in its calls.

No code of the product knows of them: its functions are wrapped here, from outside.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from tests.chaos.faultpoints import (
    AFTER_CLAIM,
    AFTER_FINISH,
    AFTER_RESULT,
    BEFORE_ANSWER,
    RAISING,
    UNMOUNTED,
    FaultPoints,
)

FOLDER_VARIABLE: Final = "CHAOS_FOLDER"
WORK_SECONDS_VARIABLE: Final = "CHAOS_WORK_SECONDS"
"""How much longer each picture takes, as native code that holds no lock: time in which faults meet it."""

_HANG_SECONDS: Final = 600
_UNMOUNTED_SECONDS: Final = 3.0


def gateway(points: FaultPoints) -> None:
    """Serve, and die between a task's record and its answer when that point is live."""
    from cutgate.gateway.__main__ import main
    from cutgate.jobs.ledger.tasks import Tasks

    _die_after(Tasks, "create", points, BEFORE_ANSWER)
    main()


def courier(_points: FaultPoints) -> None:
    from cutgate.courier.__main__ import main

    main()


def worker(points: FaultPoints) -> None:
    """Work, and die at the points that are live, or of a picture that is marked so."""
    from cutgate.jobs.blobs.file import FileBlobStore
    from cutgate.jobs.ledger.claims import Claims
    from cutgate.worker.__main__ import main
    from cutgate.worker.cut_out import cut_out
    from cutgate.worker.process import runner

    _lose_storage(FileBlobStore, points)
    _die_after(Claims, "take", points, AFTER_CLAIM)
    _die_after(FileBlobStore, "put", points, AFTER_RESULT)
    _die_after(Claims, "finish", points, AFTER_FINISH)
    vars(runner)["cut_out"] = _at_work(cut_out, points)
    main()


def _die_after(part: type, name: str, points: FaultPoints, point: str) -> None:
    """Wrap a method so that its process may die once it has taken effect."""
    method = getattr(part, name)

    @wraps(method)
    def then_die(*arguments: Any, **named: Any) -> Any:
        answer = method(*arguments, **named)
        if answer is not None or point is AFTER_RESULT:
            points.pass_by(point)
        return answer

    setattr(part, name, then_die)


def _lose_storage(store: type, points: FaultPoints) -> None:
    """Wrap reading so that a node whose volume has vanished for a while finds none of its pictures, and no id."""
    from cutgate.jobs.errors import BlobMissing

    get, installation = store.get, store.installation  # type: ignore[attr-defined]  # of any store

    def is_away() -> bool:
        return points.is_struck(UNMOUNTED, os.getppid(), _UNMOUNTED_SECONDS)

    @wraps(get)
    def none_found(self: Any, key: Any) -> bytes:
        if is_away():
            raise BlobMissing(f"no blob {key}")
        found: bytes = get(self, key)
        return found

    @wraps(installation)
    def no_id(self: Any) -> str | None:
        return None if is_away() else installation(self)

    store.get, store.installation = none_found, no_id  # type: ignore[attr-defined]


def _at_work(cut_out: Callable[..., Any], points: FaultPoints) -> Callable[..., Any]:
    """Wrap the work on a picture: it takes longer, and a marked picture does to its worker what its mark says."""
    from tests.chaos.pictures import Effect

    work_seconds = float(os.environ[WORK_SECONDS_VARIABLE])

    @wraps(cut_out)
    def slower(image: Any, *rest: Any) -> Any:
        mark = tuple(int(level) for level in image.rgb[0, 0])
        if mark == Effect.POISON.value:
            points.note()
            os.kill(os.getpid(), signal.SIGKILL)
        if mark == Effect.HANG.value:
            points.note()
            time.sleep(_HANG_SECONDS)
        if points.is_struck(RAISING, os.getppid()):
            raise RuntimeError("CUDA error 700: an illegal memory access was encountered")
        time.sleep(work_seconds)
        return cut_out(image, *rest)

    return slower


def main() -> None:
    """Run the part that the first argument names, with the arguments after it."""
    part = {"gateway": gateway, "courier": courier, "worker": worker}[sys.argv.pop(1)]
    part(FaultPoints(Path(os.environ[FOLDER_VARIABLE])))


if __name__ == "__main__":
    main()
