"""Real workers behind sentinels, without their storage, with a broken network, with two models; their metrics."""

import io
import os
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from PIL import Image

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.hints.celery import broker_url
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.record import ItemState
from cutgate.jobs.redis_client import connect
from cutgate.jobs.upkeep.installation import Installation
from cutgate.worker.cutout.pipeline import step_name, steps_for
from cutgate.worker.settings import WorkerSettings
from tests.ledgers import stored_item
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.ports import free_port
from tests.servers.scrapes import Scrape, counting_folder, scrape
from tests.servers.sentinel import Certificates, watched_server
from tests.servers.tls import write_certificates
from tests.waiting import eventually
from tests.worker.process.crew import FINE_PX, Crew, crew, team
from tests.worker.process.harmful_worker import BREAKS_PX, RAISES_PX, SLOW_PX

__all__ = ["team"]

PATIENCE_SECONDS = 40


@pytest.mark.long
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_behind_sentinels_workers_take_hints_before_and_after_a_failover(tmp_path: Path, tls: bool) -> None:
    authority, certificate, key = write_certificates(tmp_path)
    with ExitStack() as running:
        watched = running.enter_context(watched_server(Certificates.of(certificate, key) if tls else None))
        url = watched.url_with_tls(authority) if tls else watched.url
        team = running.enter_context(crew(url, tmp_path))
        team.start_ready()
        first = team.submit(FINE_PX)
        eventually(lambda: team.ended(first), seconds=PATIENCE_SECONDS)
        watched.fail_over()
        uids: list[TaskUid] = []
        while len(uids) < 200:
            with suppress(ServiceUnavailable):  # the failover takes a moment
                uids.append(team.submit(FINE_PX))
        for uid in uids:
            eventually(lambda: team.ended(uid), PATIENCE_SECONDS, despite=(Exception,))  # noqa: B023 — awaited here
        assert {team.item(uid).state for uid in uids} == {ItemState.DONE}


def test_a_worker_whose_storage_is_not_the_ledgers_waits_until_it_is(team: Crew, tmp_path: Path) -> None:
    Installation(team.ledger, team.blobs).require()
    unmounted = team.start(CUTGATE_BLOB_DIR=str(tmp_path / "unmounted"))
    eventually(lambda: unmounted.log("waiting_for_service"), PATIENCE_SECONDS)
    assert "is the volume mounted" in unmounted.log("waiting_for_service")[0]["message"].lower()
    assert team.presence.alive() == ()
    Installation(team.ledger, FileBlobStore(tmp_path / "unmounted")).adopt()
    eventually(team.presence.alive, PATIENCE_SECONDS)


def test_a_worker_refuses_a_ledger_of_another_format(team: Crew) -> None:
    team.ledger.server.install("2.newer")
    team.blobs.install("2.newer")
    assert "has format 2" in team.start().refusal()["reason"]


def test_a_worker_that_cannot_compute_gives_up_and_is_announced_no_more(team: Crew) -> None:
    worker = team.start_ready()
    uid = team.submit(BREAKS_PX)
    assert worker.process.wait(PATIENCE_SECONDS) == 1
    assert worker.log("worker_gives_up")
    assert team.presence.alive() == ()
    assert (team.item(uid).state, team.item(uid).attempts) == (ItemState.QUEUED, 0)


class Bomb:
    """Makes a file when it is unpacked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_no_message_no_picture_and_no_server_without_its_copies_stops_a_worker(team: Crew, tmp_path: Path) -> None:
    """Messages give it no orders and are not unpickled; the network may raise; a master may take no writes."""
    worker = team.start_ready()
    with Celery("test", set_as_current=False, broker=broker_url(team.redis_url)) as app:
        assert app.control.ping(timeout=1) == []
        app.control.shutdown()
        # In Celery's own form, but for what is inside.
        with app.connection_for_write() as connection:
            queue = queue_name(team.lane)
            connection.SimpleQueue(queue).put(Bomb(tmp_path / "unpacked"), serializer="pickle")
    uids = [team.submit(px) for px in (RAISES_PX, FINE_PX, RAISES_PX, RAISES_PX, RAISES_PX)]
    eventually(lambda: all(map(team.ended, uids)), PATIENCE_SECONDS)
    assert [team.item(uid).state for uid in uids].count(ItemState.FAILED) == 4
    assert not (tmp_path / "unpacked").exists()
    with connect(team.redis_url) as server:
        server.config_set("min-replicas-to-write", 1)
        eventually(lambda: server.info("commandstats")["cmdstat_brpop"]["rejected_calls"], despite=(KeyError,))
        server.config_set("min-replicas-to-write", 0)
    uid = team.submit(FINE_PX)
    eventually(lambda: team.ended(uid), PATIENCE_SECONDS, despite=(ServiceUnavailable,))
    assert team.item(uid).state is ItemState.DONE
    assert worker.process.poll() is None
    assert worker.log("child_gone") == []


def test_a_lease_outlives_two_lost_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short it is set: a beat of its own could be longer than the lease."""
    monkeypatch.setenv("CUTGATE_LEASE_SECONDS", "1")
    settings = WorkerSettings()
    assert 3 * settings.beat_seconds <= settings.lease_seconds == 1


BRIGHT = "bright"


@pytest.fixture
def two_models(team: Crew) -> Crew:
    write_tiny_model(team.folder / "models", BRIGHT, bright=True)
    return team


@pytest.mark.long
def test_a_busy_lane_does_not_starve_another(two_models: Crew) -> None:
    """Pictures that came first in one lane are done in turn with those of the other."""
    busy = two_models.submit(*[FINE_PX] * 30, model="tiny")
    short = two_models.submit(*[FINE_PX] * 3, model=BRIGHT)
    two_models.start(CUTGATE_WORKER_MODELS=f"tiny,{BRIGHT}")
    eventually(lambda: two_models.ended(short))
    done = sum(item.state is ItemState.DONE for item in two_models.items(busy))
    assert done < 20
    eventually(lambda: two_models.ended(busy))
    # Each network saw its own: the dark square in the middle is the subject of the one alone.
    for uid, expected in ((busy, 255), (short, 0)):
        result = two_models.item(uid).result
        assert result is not None
        with Image.open(io.BytesIO(two_models.blobs.get(result.blob))) as image:
            assert image.getchannel("A").getpixel((image.width // 2, image.height // 2)) == expected


@pytest.mark.long
def test_networks_that_leave_no_room_for_pictures(two_models: Crew) -> None:
    worker = two_models.start(CUTGATE_WORKER_MODELS=f"tiny,{BRIGHT}", CUTGATE_MAX_WORKER_BYTES=str(2**20))
    said = worker.refusal()["exception"]
    assert f"tiny:exact, {BRIGHT}:exact take" in said
    assert "offer fewer in CUTGATE_WORKER_MODELS" in said


def ready(shown: Scrape) -> bool:
    return shown.total(names.WORKER_INFO) == 1


@pytest.mark.long
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
    assert before.total(names.RESULT_CONFIDENCE, "_count") == 2
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


@pytest.mark.long
def test_a_port_that_is_taken_is_an_error(team: Crew) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = team.start(CUTGATE_WORKER_METRICS_PORT=str(taken.getsockname()[1]))
        assert "metrics cannot be shown" in worker.refusal()["reason"]
