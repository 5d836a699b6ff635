"""WebSockets on the real server: gunicorn, Redis, files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.frames import CloseCode

from tests.gateway.installation import Installation
from tests.gateway.runware.service import Item, removal
from tests.gateway.sockets.serving import Caller, calling
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

START_SECONDS = 60
PING = {"taskType": "ping", "ping": True}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with redis_server() as redis_url:
        yield Installation(redis_url, tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def api_key(installation: Installation) -> str:
    added: Any = installation.keys("add", "--runware", "--name", "shop")
    return str(added["api_key"])


@contextmanager
def gateway(
    installation: Installation, log: Path, **settings: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A gateway process group; yields its address and its master."""
    port = free_port()
    command = [sys.executable, "-m", "cutgate.gateway", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, **installation.environment, **settings}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            eventually(lambda: is_alive(f"http://127.0.0.1:{port}"), START_SECONDS, say=log.read_text)
            yield f"127.0.0.1:{port}", process
        finally:
            process.kill()


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def assert_no_faults(log: Path) -> None:
    lines = [line for line in log.read_text().splitlines() if "Traceback" in line]
    assert not lines, lines[0]


def ask(caller: Caller, task: Item) -> Item:
    caller.send(task)
    return caller.next()


def test_more_sockets_than_threads_leave_requests_their_threads(
    installation: Installation, api_key: str, tmp_path: Path
) -> None:
    settings = {"CUTGATE_REQUEST_THREADS": "2", "CUTGATE_SOCKETS": "30"}
    with gateway(installation, tmp_path / "log", **settings) as (address, _), ExitStack() as held:
        callers = [held.enter_context(calling(address)) for _ in range(30)]
        for caller in callers:
            caller.authenticate(api_key)
        with calling(address) as refused:
            assert refused.close_code() == CloseCode.TRY_AGAIN_LATER
        for _ in range(5):
            assert httpx.get(f"http://{address}/healthz").status_code == 200
        assert ask(callers[0], PING)["data"][0]["pong"] is True
        assert_no_faults(tmp_path / "log")


def test_a_gateway_that_is_told_to_stop_closes_busy_sockets_with_1012_and_idle_ones_with_1000(
    installation: Installation, api_key: str, tmp_path: Path
) -> None:
    with gateway(installation, tmp_path / "log", CUTGATE_SHUTDOWN_SECONDS="5") as (address, process):
        with calling(address) as idle, calling(address) as busy:
            idle.authenticate(api_key)
            session = busy.authenticate(api_key)
            task = removal(deliveryMethod="sync")
            busy.send(task)
            # Its acknowledgement by the ledger shows in the poll of another connection.
            poll = {"taskType": "getResponse", "taskUUID": task["taskUUID"]}
            eventually(lambda: "data" in ask(idle, poll))
            process.send_signal(signal.SIGTERM)
            assert idle.close_code() == CloseCode.NORMAL_CLOSURE
            assert busy.close_code() == CloseCode.SERVICE_RESTART
        assert process.wait(30) == 0
        assert_no_faults(tmp_path / "log")
    with gateway(installation, tmp_path / "log") as (address, _), calling(address) as again:
        assert again.authenticate(api_key, session) == session, "any process of the installation resumes it"
