"""A whole stack with every kind of errand: each part is a user of its own in the ledger's server, and it works."""

import base64
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError
from standardwebhooks import Webhook

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.tables import ACCOUNTS, CREDENTIALS, KeyTable
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.redis_client import connect
from cutgate.local.data_folder import DataDir
from cutgate.local.parts import server_url
from tests.courier.outside import OutsideServer, picture, redirect, serving
from tests.courier.parts import confirm
from tests.gateway.runware.service import new_removal, upload
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import ROOT, LiveStack, cutgate_up
from tests.servers.tls import write_certificates
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")]
HERE = "127.0.0.1"
PHOTO = ROOT / "examples" / "coffee.jpg"
PNG = b"\x89PNG"
TOKEN = "t0k3n-0f-4n-4ddr355"
HOOK = f"/hook?{TOKEN}"


@dataclass(frozen=True)
class Stack:
    live: LiveStack
    outside: OutsideServer
    callback_secret: str

    def server(self, user: str) -> Redis:
        facts = DataDir(self.live.data).running()
        assert facts is not None
        assert facts.redis_socket is not None
        return connect(server_url(DataDir(self.live.data), Path(facts.redis_socket), user))

    def processes(self, *words: str) -> dict[int, dict[str, str]]:
        """Environments of the stack's processes that were started with these words, by process."""
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                command = (folder / "cmdline").read_text().split("\0")
                environment = (folder / "environ").read_text().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            pairs = dict(pair.split("=", 1) for pair in environment if "=" in pair)
            if set(words) <= set(command) and pairs.get("CUTGATE_BLOB_DIR") == str(self.live.data / "blobs"):
                found[int(folder.name)] = pairs
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    authority, certificate, key = write_certificates(folder)
    scripts = {
        "/start": redirect(f"/photo.jpg?{TOKEN}"),
        "/photo.jpg": picture(PHOTO.read_bytes(), "image/jpeg"),
        "/hook": confirm,
        "/put": confirm,
    }
    with serving(OutsideServer(HERE, scripts).with_tls(certificate, key)) as outside:
        environment = {
            **tiny_environment(folder),
            "CUTGATE_COURIER_ALLOWED_NETWORKS": HERE,
            "CUTGATE_COURIER_PORTS": f"443,{outside.port}",
            "CUTGATE_PUBLIC_URL": "",
            "SSL_CERT_FILE": str(authority),
        }
        with cutgate_up(folder / "data", **environment) as live:
            shown = live.keys("account", "first", "--callback-url", outside.url(HOOK, scheme="https"))
            yield Stack(live, outside, shown["callback_secret"])


def child_of(parents: set[int]) -> int | None:
    """A process that one of these has forked."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) in parents:
            return int(path.parent.name)
    return None


def test_jobs_callbacks_and_a_lost_worker_go_well_and_nothing_is_refused(stack: Stack, tmp_path: Path) -> None:
    with stack.server("operator") as operator:
        operator.acl_log_reset()
    api_key = stack.live.keys("add", "--api-key", "--name", "first")["api_key"]
    photo = stack.outside.url("/start", scheme="https")
    put = stack.outside.url(f"/put?{TOKEN}", scheme="https")
    with stack.live.client() as client:
        job = client.remove_background(PHOTO)
        job.wait(timeout_seconds=60)
        assert job.result().startswith(PNG)
        answers = httpx.post(
            f"{stack.live.url}/v1",
            headers={"Authorization": f"Bearer {api_key}"},
            json=[upload(photo), new_removal(photo, uploadEndpoint=put, outputFormat="PNG")],
            timeout=60,
        ).json()["data"]
        assert {answer["taskType"] for answer in answers} == {"imageUpload", "removeBackground"}
        child = child_of(set(stack.processes("cutgate.worker", "run")))
        assert child is not None
        os.kill(child, signal.SIGKILL)
        job = client.remove_background(PHOTO)
        job.wait(timeout_seconds=60)
    sent = stack.outside.requests
    eventually(
        lambda: {one.method for one in sent} >= {"POST", "PUT"} and any(b"Status" in one.body for one in sent)
    )
    entries = [Webhook(stack.callback_secret).verify(one.body, one.headers) for one in sent if one.path == HOOK]
    assert {entry["Status"] for entry in entries if "Status" in entry} == {"Finished"}
    assert [one.body[:4] for one in sent if one.path == f"/put?{TOKEN}"] == [PNG]
    said = (stack.live.data / "cutgate.log").read_text(encoding="utf-8")
    assert "courier  |" in said
    assert TOKEN not in said
    assert not [line for line in said.splitlines() if "NOPERM" in line or "Permission" in line or "ACL" in line]
    with stack.server("operator") as operator:
        assert operator.acl_log() == []
        keys = {str(key) for key in operator.scan_iter()}
    assert not [key for key in keys if "pidbox" in key], "nobody gives workers orders"


def test_with_a_workers_environment_no_secret_of_an_account_can_be_read(stack: Stack) -> None:
    environment, *_ = stack.processes("cutgate.worker", "run").values()
    keys = base64.b64decode((stack.live.data / "secrets" / "cutgate_master_key").read_bytes())
    with stack.server("gateway") as gateway:
        pair = Credentials(Accounts(KeyTable(gateway), [keys])).find_pair(stack.live.public_key)
    assert pair is not None
    assert pair.private_keys == (stack.live.private_key,), "what the gateway reads"

    assert not {"CUTGATE_MASTER_KEY", "CUTGATE_SECRETS_DIR"} & set(environment)
    assert str(keys) not in str(environment)
    worker = Redis.from_url(environment["CUTGATE_REDIS_URL"], decode_responses=True)
    for table in (CREDENTIALS, ACCOUNTS):
        for look in (worker.hgetall, worker.hkeys, worker.dump):
            with pytest.raises(NoPermissionError):
                look(f"{KEY_PREFIX}{table.name}")
    with pytest.raises(NoPermissionError):
        worker.keys("*")
    assert worker.ping()
    worker.close()
