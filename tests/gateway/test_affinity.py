"""Tests of a process's threads on one processor, and of processes on one each."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cutgate.gateway.affinity import ThreadAffinity
from tests.gateway.installation import Installation, LiveGateway
from tests.waiting import eventually

pytestmark = pytest.mark.needs("two processors")

ALL = os.sched_getaffinity(0)


def bound(pid: int) -> dict[int, set[int]]:
    """The processors that each thread of a process may run on; a thread that ends meanwhile is left out."""
    found = {}
    for thread in threads(pid):
        with suppress(ProcessLookupError):
            found[thread] = os.sched_getaffinity(thread)
    return found


def threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def workers(live: LiveGateway) -> list[int]:
    pid = live.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def home(pid: int) -> int | None:
    """The processor of all threads but the main one; None where there is not one for all."""
    found = set[int]().union(*(allowed for thread, allowed in bound(pid).items() if thread != pid))
    return found.pop() if len(found) == 1 else None


@pytest.fixture
def affinity() -> Iterator[ThreadAffinity]:
    yield ThreadAffinity()
    for thread in threads(os.getpid()):
        with suppress(ProcessLookupError):  # it has ended since it was listed
            os.sched_setaffinity(thread, ALL)


@pytest.fixture
def other() -> Iterator[int]:
    """A thread that waits."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert thread.native_id is not None
    yield thread.native_id
    done.set()
    thread.join()


def test_threads_follow_the_main_one_which_is_let_loose_now_and_then(affinity: ThreadAffinity, other: int) -> None:
    affinity.look()
    assert bound(os.getpid())[other] == ALL
    seen = []
    for _ in range(30):
        affinity.look()
        found = bound(os.getpid())
        assert len(found[other]) == 1
        assert found[os.getpid()] in (found[other], ALL)
        seen.append(found[os.getpid()] == ALL)
    assert 3 <= sum(seen) <= 6


def test_a_thread_that_works_apart_runs_anywhere_until_it_is_done(affinity: ThreadAffinity, other: int) -> None:
    with affinity.apart():
        assert bound(os.getpid())[other] == ALL
    affinity.look()
    affinity.look()
    before = os.sched_getaffinity(0)
    assert len(before) == 1
    with affinity.apart():
        assert os.sched_getaffinity(0) == ALL
        for _ in range(30):
            affinity.look()
        assert os.sched_getaffinity(0) == ALL
        assert len(bound(os.getpid())[other]) == 1
    assert os.sched_getaffinity(0) == bound(os.getpid())[other]


@pytest.mark.parametrize("refused", ["sched_setaffinity", "sched_getaffinity"])
def test_where_the_system_refuses_threads_stay_as_they_are(
    refused: str, monkeypatch: pytest.MonkeyPatch, other: int
) -> None:
    if refused == "sched_getaffinity":  # macOS has none of them
        monkeypatch.delattr(os, refused)
    else:

        def forbid(_thread: int, _processors: set[int]) -> None:
            raise PermissionError

        monkeypatch.setattr(os, refused, forbid)
    affinity = ThreadAffinity()
    for _ in range(12):
        affinity.look()
        with affinity.apart():
            pass
    monkeypatch.undo()
    assert bound(os.getpid())[other] == ALL


def test_a_gateways_processes_have_a_processor_each(installation: Installation) -> None:
    with installation.serving(CUTGATE_PROCESSES="2") as live:

        def are_settled() -> bool:
            homes = {home(pid) for pid in workers(live)}
            return len(homes) == 2 and None not in homes

        eventually(are_settled)
