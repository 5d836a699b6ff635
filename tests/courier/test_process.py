"""The courier as a process: within a whole stack, and alone with its ledger's server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Delivery, DeliveryKind, ItemState, Task
from cutgate.jobs.spec import CutoutSpec
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import unix_url
from tests.courier.outside import OutsideServer, Visit, picture, redirect, serving
from tests.gateway.harness import MASTER_KEY, make_settings
from tests.gateway.picture_files import png
from tests.jobs.build import SPEC, new_task
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.redis_server import redis_server
from tests.servers.stack import ROOT, cutgate_up
from tests.servers.tls import write_certificates
from tests.waiting import eventually

HERE = "127.0.0.1"
ACCOUNT = "alice"


def create(
    ledger: RedisLedger, url: str, *deliveries: Delivery, origin: str = "test", spec: CutoutSpec = SPEC
) -> TaskUid:
    """A task whose picture is at a URL."""
    task = new_task(account=ACCOUNT, spec=spec)
    items = (replace(task.items[0], source_url=url),)
    ledger.create(replace(task, items=items, deliveries=deliveries, origin=origin))
    return task.uid


def wait_for(ledger: RedisLedger, uid: TaskUid, state: ItemState) -> None:
    def task() -> Task:
        found = ledger.get(uid, ACCOUNT)
        assert found is not None
        return found

    eventually(lambda: task().items[0].state is state, 60, say=task)


def confirm(visit: Visit) -> None:
    visit.answer(200)


def test_a_whole_stack_fetches_cuts_out_and_tells_of_it(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    model = write_tiny_model(tmp_path / "models")
    authority, certificate, key = write_certificates(tmp_path)
    astronaut = (ROOT / "examples" / "astronaut.jpg").read_bytes()
    scripts = {
        "/start": redirect("/astronaut.jpg?signed=secret"),
        "/astronaut.jpg": picture(astronaut, "image/jpeg"),
        "/hook": confirm,
        "/put": confirm,
    }
    with serving(OutsideServer(HERE, scripts).with_tls(certificate, key)) as server:
        environment = {
            "CUTGATE_MODEL": model,
            "CUTGATE_MODELS_DIR": str(tmp_path / "models"),
            "CUTGATE_CACHE_DIR": str(tmp_path / "graphs"),
            "CUTGATE_COURIER_ALLOWED_NETWORKS": HERE,
            "CUTGATE_COURIER_PORTS": f"443,{server.port}",
            "CUTGATE_PUBLIC_URL": "",
            "SSL_CERT_FILE": str(authority),
        }
        with cutgate_up(tmp_path / "data", **environment) as stack:
            facts = DataDir(stack.data).running()
            assert facts is not None
            assert facts.redis_socket is not None
            with connect(unix_url(Path(facts.redis_socket))) as client:
                ledger = RedisLedger(client, LedgerLimits())
                deliveries = (
                    Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook?key=secret", scheme="https")),
                    Delivery(kind=DeliveryKind.UPLOAD, url=server.url("/put?key=secret", scheme="https")),
                )
                url = server.url("/start", scheme="https")
                uid = create(ledger, url, *deliveries, origin="RemoveBackground", spec=CutoutSpec(model=model))
                wait_for(ledger, uid, ItemState.DONE)
                eventually(lambda: len(server.requests) == 4)
        said = (stack.data / "cutgate.log").read_text(encoding="utf-8")
    by_path = {request.path: request for request in server.requests}
    assert b'"Status": "Finished"' in by_path["/hook?key=secret"].body
    assert by_path["/put?key=secret"].body.startswith(b"\x89PNG")
    assert "courier  |" in said
    assert "secret" not in said


@contextmanager
def courier_process(redis_url: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m cutgate.courier run` until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cutgate.courier", "run"],
        env=courier_environment(redis_url, folder, **environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def courier_environment(redis_url: str, folder: Path, **environment: str) -> dict[str, str]:
    ours = {"CUTGATE_REDIS_URL": redis_url, "CUTGATE_MASTER_KEY": MASTER_KEY, "CUTGATE_BLOB_DIR": str(folder)}
    return os.environ | ours | environment


@pytest.fixture
def lonely_redis() -> Iterator[str]:
    """A server of the test's own: a courier takes whatever is due there."""
    with redis_server() as url:
        yield url


def is_alive(redis_url: str, folder: Path) -> bool:
    command = [sys.executable, "-m", "cutgate.courier", "check"]
    environment = courier_environment(redis_url, folder)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 or "no courier of this machine is alive" in done.stderr, done.stderr
    return done.returncode == 0


def test_a_signal_ends_it_in_order_and_gives_back_what_is_under_way(lonely_redis: str, tmp_path: Path) -> None:
    def silent(visit: Visit) -> None:
        visit.stopping.wait(30)

    with (
        serving(OutsideServer(HERE, {"/silent": silent, "/": picture(png())})) as server,
        connect(lonely_redis) as client,
    ):
        ledger = RedisLedger(client, LedgerLimits())
        environment = {
            "CUTGATE_COURIER_ALLOWED_NETWORKS": f"{HERE}/32",
            "CUTGATE_COURIER_PORTS": str(server.port),
            "CUTGATE_COURIER_STOP_SECONDS": "0.2",
            "CUTGATE_LOG_LEVEL": "debug",
        }
        with courier_process(lonely_redis, tmp_path, **environment) as process:
            wait_for(ledger, create(ledger, server.url("/?token=secret")), ItemState.QUEUED)
            assert is_alive(lonely_redis, tmp_path)
            held_up = create(ledger, server.url("/silent?token=secret"))
            eventually(lambda: len(server.requests) == 2)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
            assert (process.returncode, time.monotonic() - started < 5) == (0, True), said
        assert not is_alive(lonely_redis, tmp_path)
        assert ledger.errands_due() == 1
        errand = ledger.take_errand("another", "another-token")
        assert errand is not None
        assert (errand.task, errand.attempt) == (held_up, 2)
    assert "source_fetched" in said
    assert "secret" not in said


def test_an_account_is_told_of_the_end_of_its_tasks_and_can_tell_who_says_so(
    lonely_redis: str, tmp_path: Path
) -> None:
    with serving(OutsideServer(HERE, {"/hook": confirm})) as server, connect(lonely_redis) as client:
        accounts = Accounts(KeyTable(client), make_settings().master_key_bytes())
        KeyPairs(accounts).add(ACCOUNT)
        secret = accounts.set_callback(ACCOUNT, server.url("/hook")).callback_secret
        assert secret is not None
        ledger = RedisLedger(client, LedgerLimits())
        told = Delivery(kind=DeliveryKind.CALLBACK, url=server.url("/hook"))
        uid = create(ledger, server.url("/never"), told, origin="RemoveBackground")
        assert ledger.terminate(uid, ACCOUNT) is not None
        environment = {"CUTGATE_COURIER_ALLOWED_NETWORKS": HERE, "CUTGATE_COURIER_PORTS": str(server.port)}
        with courier_process(lonely_redis, tmp_path, **environment) as process:
            eventually(lambda: server.requests)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=20)
    (request,) = server.requests
    entry = Webhook(secret).verify(request.body, request.headers)
    assert (entry["TaskUID"], entry["Status"], entry["ErrorCode"]) == (uid, "Error", 1002)
    assert secret not in said


def test_a_metrics_port_that_is_taken_ends_it_with_the_reason(lonely_redis: str, tmp_path: Path) -> None:
    with socket.create_server((HERE, 0)) as taken:
        port = str(taken.getsockname()[1])
        with courier_process(lonely_redis, tmp_path, CUTGATE_COURIER_METRICS_PORT=port) as process:
            _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "courier_cannot_start" in said
    assert f"port {port}: Address already in use" in said
