"""Drills: the ledger lost, the storage emptied, an old state restored, and a backup that was taken under load."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
from redis.exceptions import RedisError

from cutgate import Client
from cutgate.gateway.accounts.credentials import KeyPair
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.ids import TaskUid, parse_task_uid
from cutgate.jobs.record import Task, TaskStatus
from tests.chaos.pictures import picture
from tests.chaos.service import COURIER, GATEWAY, PRICE_CREDITS, ROOT, SERVER, WORKERS, Service
from tests.gateway.harness import signed
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.servers.s3_server import new_bucket, operators_client, s3_server, s3_settings
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

USUAL = {"CUTGATE_MAX_ATTEMPTS": "3", "CUTGATE_LEASE_SECONDS": "15"}
SOON_SECONDS = 20
ALL_KEPT = ("--appendonly", "yes", "--appendfsync", "always")


class Drill:
    """A service, and one caller of it."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self._port = service, port
        self.keys = service.add_account("alice", 100_000)
        self.pids = self._pids()

    def _pids(self) -> list[int]:
        return [self.service.leader(name) for name in (*WORKERS, GATEWAY, COURIER)]

    def submit(self, count: int) -> list[TaskUid]:
        with Client(self.service.url, self.keys.public_key, self.keys.private_key) as client:
            return [submitted(client, number) for number in range(count)]

    def code(
        self, action: str = "ListTasksDetails", keys: KeyPair | None = None, **fields: object
    ) -> tuple[int, int]:
        """HTTP status and RetCode of a signed request."""
        keys = keys or self.keys
        params = {"Action": action, "PublicKey": keys.public_key, **fields}
        answer = httpx.post(self.service.url, json=signed(params, keys.private_key), timeout=10)
        return answer.status_code, answer.json()["RetCode"]

    def says(self) -> str | None:
        """What the operators' page says of the installation; nothing where that is whole."""
        page = httpx.get(f"http://127.0.0.1:{self._port}/readyz", timeout=10)
        said: str | None = page.json().get("installation")
        assert page.status_code == 200 or said or "worker" in page.text, page.text
        return said

    def scraped(self, name: str) -> str:
        page = httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=10).text
        return next(line.split()[-1] for line in page.splitlines() if line.startswith(name))

    def tasks(self, uids: list[TaskUid]) -> list[Task]:
        return [task for task in self.service.ledger.tasks.get_many(uids, "alice") if task is not None]

    def all_ended(self, seconds: float = SOON_SECONDS) -> None:
        eventually(lambda: not self.service.ledger.tasks.unfinished("alice"), seconds, say=self.service.log_tail)

    def signal(self, number: signal.Signals) -> None:
        for name in WORKERS:
            os.killpg(self.service.leader(name), number)

    def change_server(self, change: Callable[[Path], None]) -> None:
        """Change the server's file while it does not run."""
        before = self.service.client.info("server")["run_id"]
        pid = self.service.leader(SERVER)
        os.kill(pid, signal.SIGSTOP)
        change(self.service.redis_dir / "appendonlydir")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.service.client.info("server")["run_id"] != before, despite=(RedisError,))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return gateway_command(self.service.settings | {"CUTGATE_REDIS_URL": self.service.redis_url}, *words)

    def nobody_exited(self) -> None:
        assert self._pids() == self.pids, self.service.log_tail()


def submitted(client: Client, number: int) -> TaskUid:
    job = client.remove_background(picture(number).png(), erode_size=0, hair_optimization="off")
    return parse_task_uid(job.uid)


def gateway_command(settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cutgate.gateway", *words]
    return subprocess.run(command, env=dict(settings), capture_output=True, text=True, check=False, cwd=ROOT)


@contextmanager
def drill(settings: Mapping[str, str] = MappingProxyType({}), redis_dir: Path | None = None) -> Iterator[Drill]:
    port = free_port()
    own = {**USUAL, "CUTGATE_METRICS_PORT": str(port), "CUTGATE_METRICS_HOST": "127.0.0.1", **settings}
    with Service(own, redis_dir=redis_dir) as service:
        yield Drill(service, port)


def test_the_ledger_is_lost() -> None:
    with drill() as at:
        uids = at.submit(5)
        at.all_ended()
        [result] = (file for file in at.service.blob_dir.rglob(f"{uids[0]}-*-result-*"))
        at.change_server(shutil.rmtree)
        # At once nobody is called unknown, whatever was noticed so far.
        assert at.code("ListTasksDetails", TaskUIDList=[str(uids[0])]) == (503, 130)
        eventually(at.says)
        assert "the ledger is not the storage's: it has no id" in str(at.says())
        assert "restore" in str(at.says())
        assert at.scraped("cutgate_installation_whole") == "0.0"
        assert httpx.get(f"{at.service.url}/readyz").status_code == 503
        refused = at.command("keys", "add", "--name", "alice")
        assert refused.returncode == 1
        assert "storage adopt" in refused.stderr
        assert result.exists()
        assert at.command("storage", "adopt").returncode == 0
        eventually(lambda: at.says() is None)
        at.keys = at.service.add_account("alice", 100)
        again = at.submit(1)
        at.all_ended()
        assert [task.status for task in at.tasks(again)] == [TaskStatus.FINISHED]
        assert result.exists()
        at.nobody_exited()


def test_the_storage_is_emptied() -> None:
    with drill() as at:
        at.signal(signal.SIGSTOP)
        waiting = at.submit(10)
        for entry in at.service.blob_dir.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        at.signal(signal.SIGCONT)
        eventually(at.says)
        assert "the storage is not the ledger's: it has no id" in str(at.says())
        png = base64.b64encode(picture(1).png()).decode()
        assert at.code("RemoveBackground", RawImage=png) == (503, 130)
        assert at.code("ListTasksDetails", TaskUIDList=[str(waiting[0])])[0] == 200
        assert len(at.service.ledger.tasks.unfinished("alice")) == 10
        assert at.command("storage", "adopt").returncode == 0
        at.all_ended()
        assert {task.status for task in at.tasks(waiting)} == {TaskStatus.ERROR}
        eventually(lambda: at.says() is None)
        again = at.submit(1)
        at.all_ended()
        assert [task.status for task in at.tasks(again)] == [TaskStatus.FINISHED]
        balance = at.service.ledger.accounts.balance("alice")
        assert balance is not None
        assert (balance.used, balance.reserved) == (PRICE_CREDITS, 0)
        at.nobody_exited()


def test_an_old_state_of_the_ledger_is_restored(tmp_path: Path) -> None:
    with drill() as at:
        at.signal(signal.SIGSTOP)
        uids = at.submit(30)
        at.service.client.config_set("appendfsync", "always")
        at.service.client.set("synced", 1)
        shutil.copytree(at.service.redis_dir / "appendonlydir", tmp_path / "old")
        at.signal(signal.SIGCONT)
        at.all_ended()
        for source in at.service.blob_dir.rglob("*-source-*"):
            source.unlink()  # as upkeep does a minute later

        def back(folder: Path) -> None:
            shutil.rmtree(folder)
            shutil.copytree(tmp_path / "old", folder)

        at.change_server(back)
        new = at.submit(1)
        at.all_ended()
        assert {task.status for task in at.tasks(uids)} == {TaskStatus.ERROR}
        assert [task.status for task in at.tasks(new)] == [TaskStatus.FINISHED]
        balance = at.service.ledger.accounts.balance("alice")
        assert balance is not None
        assert (balance.used, balance.reserved) == (PRICE_CREDITS, 0)
        at.nobody_exited()


@pytest.mark.parametrize("storage", ["folder", "bucket"])
def test_a_backup_under_load_is_restored_elsewhere(tmp_path: Path, storage: str) -> None:
    with ExitStack() as stack:
        old, new = (places(stack, storage, tmp_path / name) for name in ("old", "new"))
        with drill(old) as at:
            settings = at.service.settings
            ended = at.submit(10)
            at.all_ended()
            stop, sent = threading.Event(), list[TaskUid]()

            def send() -> None:
                with Client(at.service.url, at.keys.public_key, at.keys.private_key) as client:
                    while not stop.is_set():
                        sent.append(submitted(client, len(sent)))

            senders = [threading.Thread(target=send) for _ in range(3)]
            for sender in senders:
                sender.start()
            eventually(lambda: len(at.service.ledger.tasks.unfinished("alice")) > 10)
            made = at.command("backup", str(tmp_path / "copy"))
            stop.set()
            for sender in senders:
                sender.join()
            assert made.returncode == 0, made.stderr
            at.nobody_exited()
        # The machine is gone, with all that was on it.
        redis_dir = tmp_path / "redis"
        redis_dir.mkdir()
        with redis_server("--dir", str(redis_dir), *ALL_KEPT) as url:
            restored = gateway_command(
                settings | new | {"CUTGATE_REDIS_URL": url}, "restore", str(tmp_path / "copy")
            )
            assert restored.returncode == 0, restored.stderr
        with drill({**new, "CUTGATE_MASTER_KEY": settings["CUTGATE_MASTER_KEY"]}, redis_dir) as at:
            at.all_ended()
            known = at.tasks(ended + sent)
            assert len(known) > 20
            assert {task.status for task in known} == {TaskStatus.FINISHED}
            balance = at.service.ledger.accounts.balance("alice")
            assert balance is not None
            assert (balance.used, balance.reserved) == (PRICE_CREDITS * len(known), 0)
            assert at.service.client.hget("{cutgate}:totals", "done") == str(len(known))
            at.nobody_exited()


def places(stack: ExitStack, storage: str, folder: Path) -> dict[str, str]:
    """Settings of a storage that is empty."""
    if storage == "folder":
        return {"CUTGATE_BLOB_DIR": str(folder)}
    url = stack.enter_context(s3_server())
    settings = s3_settings(url)
    stack.enter_context(new_bucket(stack.enter_context(operators_client(settings)), settings))
    open_blob_store(settings).check()
    return {
        "CUTGATE_BLOB_STORE": "s3",
        "CUTGATE_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
        "CUTGATE_S3_BUCKET": settings.s3_bucket,
        "CUTGATE_S3_ACCESS_KEY": settings.s3_access_key,
        "CUTGATE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }
