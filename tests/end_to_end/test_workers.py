"""`cutgate up --workers 2` with the real parts: both work, and what is killed comes back and nothing is lost."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.picture_files import png
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import LiveStack, cutgate_up
from tests.waiting import eventually

pytestmark = pytest.mark.long

PNG = b"\x89PNG\r\n\x1a\n"
JOBS = 12


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder = tmp_path_factory.mktemp("two-workers")
    settings = tiny_environment(folder)
    with cutgate_up(folder / "data", 2, CUTGATE_LEASE_SECONDS="5", **settings) as stack:
        eventually(lambda: len(stack.workers()) == 2)
        yield stack


def pids_of(part: str, stack: LiveStack) -> set[int]:
    """A part's main processes: children of `cutgate up`."""
    parent = json.loads((stack.data / "stack.json").read_text(encoding="utf-8"))["pid"]
    children = "".join(path.read_text() for path in Path(f"/proc/{parent}/task").glob("*/children")).split()
    return {int(pid) for pid in children if f"cutgate.{part}" in Path(f"/proc/{pid}/cmdline").read_text()}


def busy(stack: LiveStack) -> set[str]:
    text = (stack.data / "cutgate.log").read_text(encoding="utf-8")
    return set(re.findall(r"(worker-\d) +\| .*item_done", text))


def do_jobs(stack: LiveStack) -> None:
    with stack.client() as client:
        jobs = [client.remove_background(png(32 + number, 32)) for number in range(JOBS)]
        assert all(job.result().startswith(PNG) for job in jobs)
        assert client.jobs() == []


def both_work(stack: LiveStack) -> bool:
    do_jobs(stack)
    return busy(stack) == {"worker-1", "worker-2"}


def test_both_work_and_one_that_is_killed_comes_back(two_workers: LiveStack) -> None:
    eventually(lambda: both_work(two_workers))
    before = pids_of("worker", two_workers)
    assert len(before) == 2
    with two_workers.client() as client:
        jobs = [client.remove_background(png(80 + number, 80)) for number in range(JOBS)]
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        assert all(job.result().startswith(PNG) for job in jobs)
    eventually(lambda: len(pids_of("worker", two_workers)) == 2 and len(two_workers.workers()) == 2, 60)
    assert len(pids_of("worker", two_workers) & before) == 1
    do_jobs(two_workers)


def test_a_gateway_that_is_killed_comes_back(two_workers: LiveStack) -> None:
    [killed] = pids_of("gateway", two_workers)
    os.kill(killed, signal.SIGKILL)
    # A child may end between the two looks at it.
    eventually(lambda: pids_of("gateway", two_workers) - {killed}, 60, despite=(OSError,))
    eventually(lambda: len(two_workers.workers()) == 2, 60, despite=(httpx.TransportError,))
    do_jobs(two_workers)
