"""`python -m tests.chaos.stand_ins worker run`: the product's own process, with fault points in its calls.

No code of the product knows of them: its functions are wrapped here, from outside. The harness and the processes
share a folder: which points are live lies in a file that is read at each pass, so one running service goes through
all scenarios; each fault is written down before it happens.
"""

import json
import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, Final

BEFORE_ANSWER: Final = "before answer"
AFTER_CLAIM: Final = "after claim"
AFTER_RESULT: Final = "after result"
AFTER_FINISH: Final = "after finish"
UNMOUNTED: Final = "unmounted"
RAISING: Final = "raising"
"""What a whole process suffers from: the first for a while, the other for as long as it lives."""
_HUNG: Final = "hung"
"""What all processes suffer from: calls of the storage do not return before a while is over."""

FOLDER_VARIABLE: Final = "CHAOS_FOLDER"
WORK_SECONDS_VARIABLE: Final = "CHAOS_WORK_SECONDS"
"""How much longer each picture takes, as native code that holds no lock: time in which faults meet it."""

_HANG_SECONDS: Final = 600
_UNMOUNTED_SECONDS: Final = 3.0


class FaultPoints:
    """One folder, from either side."""

    def __init__(self, folder: Path) -> None:
        self._live, self._journal = folder / "live.json", folder / "journal.txt"

    def switch(self, chances: Mapping[str, float]) -> None:
        """From now on these points are live, each with its chance in [0, 1], and no others."""
        _replace(self._live, json.dumps(dict(chances)))

    def pass_by(self, point: str) -> None:
        """Die here if the point is live and its chance has come; the first to pass one always dies."""
        chances: dict[str, float] = json.loads(self._live.read_text(encoding="utf-8"))
        if point in chances and (random.random() < chances[point] or self._nothing_happened_yet()):
            self.note()
            os.kill(os.getpid(), signal.SIGKILL)

    def strike(self, point: str, pid: int) -> None:
        """From now on a worker's process suffers from something."""
        self.note()
        (self._live.parent / f"{point}-{pid}").touch()

    def is_struck(self, point: str, pid: int, seconds: float = math.inf) -> bool:
        """Whether the process does; it recovers after so many seconds."""
        try:
            since_seconds = (self._live.parent / f"{point}-{pid}").stat().st_mtime
        except FileNotFoundError:
            return False
        return time.time() < since_seconds + seconds

    def hang_storage(self, seconds: float) -> None:
        """Let no call of the storage return for so long, as a mount does whose server is away."""
        self.note()
        _replace(self._live.with_name(_HUNG), str(time.time() + seconds))

    def wait_for_storage(self) -> None:
        """Return once the storage no longer hangs."""
        with suppress(FileNotFoundError):
            time.sleep(max(0.0, float(self._live.with_name(_HUNG).read_text(encoding="ascii")) - time.time()))

    def _nothing_happened_yet(self) -> bool:
        return not self._journal.exists() or self._journal.stat().st_mtime_ns < self._live.stat().st_mtime_ns

    def note(self) -> None:
        """Write down that a fault happens now."""
        with self._journal.open("a", encoding="ascii") as journal:
            journal.write(f"{round(time.time() * 1000)}\n")

    def times_ms(self, since_ms: int) -> list[int]:
        """When faults happened, in milliseconds since the epoch."""
        if not self._journal.exists():
            return []
        times = map(int, self._journal.read_text(encoding="ascii").split())
        return [time_ms for time_ms in times if time_ms >= since_ms]


def _replace(file: Path, text: str) -> None:
    """Write a file that others read at any time."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def gateway(points: FaultPoints) -> None:
    """Serve, and die between a task's record and its answer when that point is live."""
    from cutgate.gateway.__main__ import main
    from cutgate.jobs.blobs.file import FileBlobStore
    from cutgate.jobs.ledger.tasks import Tasks

    _hang_with(FileBlobStore, points)
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

    _hang_with(FileBlobStore, points)
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


def _hang_with(store: type, points: FaultPoints) -> None:
    """Wrap what reads, writes and checks, so that it hangs as long as the storage does."""

    def hanging(call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def after_a_while(*arguments: Any, **named: Any) -> Any:
            points.wait_for_storage()
            return call(*arguments, **named)

        return after_a_while

    for name in ("get", "open", "put", "check", "installation"):
        setattr(store, name, hanging(getattr(store, name)))


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
    def slower(image: Any, *rest: Any, **named: Any) -> Any:
        mark = tuple(int(level) for level in image.rgb[0, 0])
        if mark == Effect.POISON.value:
            points.note()
            os.kill(os.getpid(), signal.SIGKILL)
        if mark == Effect.HANG.value:
            points.note()
            time.sleep(_HANG_SECONDS)
        if mark == Effect.RAISE.value:
            points.note()
            raise ValueError("operands could not be broadcast together")
        if points.is_struck(RAISING, os.getppid()):
            raise RuntimeError("CUDA error 700: an illegal memory access was encountered")
        time.sleep(work_seconds)
        return cut_out(image, *rest, **named)

    return slower


def main() -> None:
    """Run the part that the first argument names, with the arguments after it."""
    part = {"gateway": gateway, "courier": courier, "worker": worker}[sys.argv.pop(1)]
    part(FaultPoints(Path(os.environ[FOLDER_VARIABLE])))


if __name__ == "__main__":
    main()
