"""The courier as a process, alone with its ledger's server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from standardwebhooks import Webhook

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.observe.alive import AliveFile
from cutgate.jobs.record import Delivery, ErrandKind, ItemState, NewTask
from cutgate.jobs.redis_client import connect
from tests.courier.outside import OutsideServer, Visit, picture, serving
from tests.courier.parts import confirm
from tests.gateway.harness import MASTER_KEY, make_settings
from tests.gateway.picture_files import png
from tests.jobs.build import Ledger
from tests.servers.stack import ROOT
from tests.waiting import eventually

HERE = "127.0.0.1"
ACCOUNT = "alice"


def wait_for(ledger: Ledger, task: NewTask, state: ItemState) -> None:
    eventually(lambda: ledger.task(task.uid).items[0].state is state, 60, say=lambda: ledger.task(task.uid))


@contextmanager
def courier_process(
    redis_url: str, folder: Path, port: int = 443, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """`python -m cutgate.courier run` until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "cutgate.courier", "run"],
        env=courier_environment(redis_url, folder, CUTGATE_COURIER_PORTS=str(port), **environment),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def courier_environment(redis_url: str, folder: Path, **environment: str) -> dict[str, str]:
    ours = {"CUTGATE_REDIS_URL": redis_url, "CUTGATE_MASTER_KEY": MASTER_KEY, "CUTGATE_BLOB_DIR": str(folder)}
    ours["CUTGATE_COURIER_ALLOWED_NETWORKS"] = HERE
    return os.environ | ours | environment


def is_alive(redis_url: str, folder: Path) -> bool:
    command = [sys.executable, "-m", "cutgate.courier", "check"]
    environment = courier_environment(redis_url, folder)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 or "no courier of this machine is alive" in done.stderr, done.stderr
    return done.returncode == 0


def end(process: subprocess.Popen[str]) -> str:
    """Stop a courier in order; what it said."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=20)[1]


def test_a_signal_ends_it_in_order_and_gives_back_what_is_under_way(own_url: str, tmp_path: Path) -> None:
    def silent(visit: Visit) -> None:
        visit.stopping.wait(30)

    with (
        serving(OutsideServer(HERE, {"/silent": silent, "/": picture(png())})) as server,
        connect(own_url) as client,
    ):
        ledger = Ledger(client)
        alive_file = AliveFile(tmp_path / "alive")
        environment = {
            "CUTGATE_COURIER_STOP_SECONDS": "0.2",
            "CUTGATE_LOG_LEVEL": "debug",
            "CUTGATE_ALIVE_FILE": str(tmp_path / "alive"),
        }
        with courier_process(own_url, tmp_path, server.port, **environment) as process:
            wait_for(ledger, ledger.submit(source_url=server.url("/?token=secret")), ItemState.QUEUED)
            assert is_alive(own_url, tmp_path)
            assert alive_file.fault() is None
            held_up = ledger.submit(source_url=server.url("/silent?token=secret"))
            eventually(lambda: len(server.requests) == 2)
            said = end(process)
            assert process.returncode == 0, said
        assert not is_alive(own_url, tmp_path)
        assert alive_file.fault() is not None
        assert ledger.errands.due() == 1
        errand = ledger.next_errand()
        assert (errand.task, errand.attempt) == (held_up.uid, 2)
    assert "source_fetched" in said
    assert "secret" not in said


def test_an_account_is_told_of_the_end_of_its_tasks_and_can_tell_who_says_so(own_url: str, tmp_path: Path) -> None:
    with serving(OutsideServer(HERE, {"/hook": confirm})) as server, connect(own_url) as client:
        accounts = Accounts(KeyTable(client), make_settings().master_keys())
        Credentials(accounts).add_pair(ACCOUNT)
        secret = accounts.set_callback(ACCOUNT, server.url("/hook"))
        assert secret is not None
        told = Delivery(kind=ErrandKind.CALLBACK, url=server.url("/hook"))
        uid = Ledger(client).ended_task(account=ACCOUNT, deliveries=(told,), origin="RemoveBackground").uid
        with courier_process(own_url, tmp_path, server.port) as process:
            eventually(lambda: server.requests)
            said = end(process)
    (request,) = server.requests
    entry = Webhook(secret).verify(request.body, request.headers)
    assert (entry["TaskUID"], entry["Status"], entry["ErrorCode"]) == (uid, "Error", 1002)
    assert secret not in said
