"""A worker is scraped while it works and while its children come and go; what each item's end counts as."""

import os
import signal
import socket

import pytest

from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import ItemState
from cutgate.worker.cutout.pipeline import step_name, steps_for
from tests.ledgers import stored_item
from tests.servers.ports import free_port
from tests.servers.scrapes import Scrape, counting_folder, scrape
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, team
from tests.worker.process.harmful_worker import SLOW_PX

__all__ = ["team"]

pytestmark = pytest.mark.long


def ready(shown: Scrape) -> bool:
    return shown.total(names.WORKER_INFO) == 1


@pytest.mark.parametrize("team", [{"CUTGATE_LEASE_SECONDS": "60"}], indirect=True)
def test_counters_outlive_children_and_what_computes_is_named_while_it_lives(team: Crew) -> None:
    port = free_port()
    worker = team.start_ready(CUTGATE_WORKER_METRICS_PORT=str(port))
    done = team.submit(FINE_PX, FINE_PX)
    eventually(lambda: team.ended(done))
    eventually(lambda: scrape(port).value(names.ITEMS, outcome="done") == 2)
    before = scrape(port)
    assert ready(before)
    assert before.value(names.CLAIMS, attempt="first") == 2
    assert before.value(names.CLAIMS, attempt="again") == 0
    assert before.value(names.PIXELS) == 2 * FINE_PX * 30
    assert before.total(names.RESULTS) == before.value(names.ITEM_SECONDS, "_count") == 2
    expected = {step_name(step) for step in steps_for(team.spec, lambda image: image[..., 0])}
    steps = {dict(labels)["step"] for name, labels in before.samples() if name == "cutgate_step_seconds_count"}
    assert steps == expected | {"read", "encode", "write"}
    whole = before.value(names.ITEM_SECONDS, "_sum")
    assert before.total(names.STEP_SECONDS, "_sum") == pytest.approx(whole, rel=0.5)

    slow = team.submit(SLOW_PX)
    eventually(lambda: scrape(port).value(names.CLAIMS, attempt="first") == 3)
    os.kill(worker.child_pid(), signal.SIGKILL)
    eventually(lambda: scrape(port).value(names.CHILDREN_GONE, end="died") == 1)
    eventually(lambda: team.ended(slow))
    eventually(lambda: scrape(port).value(names.ITEMS, outcome="done") == 3)
    after = scrape(port)
    assert ready(after)
    assert after.value(names.CLAIMS, attempt="first") == 3
    assert after.value(names.CLAIMS, attempt="again") == 1
    assert after.value(names.ITEMS_TAKEN_BACK) == 1
    fallen = {
        key
        for key, value in before.samples().items()
        if key[0] != names.WORKER_INFO.name and after.samples().get(key, 0) < value
    }
    assert fallen == set()

    ended = team.submit(SLOW_PX)
    eventually(lambda: team.item(ended).state is ItemState.RUNNING)
    broken = team.submit(FINE_PX)
    team.blobs.put(stored_item(team.ledger, broken).source, b"no picture")
    assert team.ledger.tasks.terminate(ended, "ada")
    eventually(lambda: scrape(port).value(names.ITEMS, outcome="lost") == 1)
    eventually(lambda: scrape(port).value(names.ITEMS, outcome="failed") == 1)
    assert scrape(port).value(names.ITEM_ERRORS, kind="source_unreadable") == 1
    folder = counting_folder(worker.process.pid)
    worker.stop()
    assert not folder.exists()


def test_a_port_that_is_taken_is_an_error(team: Crew) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = team.start(CUTGATE_WORKER_METRICS_PORT=str(taken.getsockname()[1]))
        assert "metrics cannot be shown" in worker.refusal()["reason"]
