"""What supervisors are told, and what callers are told when a part is away."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.rates import redis_storage
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.serving.wsgi import connect_ledger
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.presence import RedisPresence
from tests.gateway import picture_files as pictures
from tests.gateway.harness import Harness, make_settings
from tests.ledgers import FreshLedger


@pytest.fixture
def worker(gateway: Harness) -> WorkerPresence:
    return WorkerPresence(
        owner="w1",
        lane=gateway.lane,
        model="isnet-general-use",
        engine="onnxruntime 1.31",
        provider="CPUExecutionProvider",
        dtype="fp32",
        threads=2,
    )


@pytest.fixture
def deaf_server() -> Iterator[str]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def ready(harness: Harness) -> tuple[int, dict[str, object]]:
    response = harness.app.test_client().get("/readyz")
    return response.status_code, response.get_json()


def away(harness: Harness, settings: GatewaySettings) -> Harness:
    """The gateway, its ledger's server being another one."""
    client = connect_ledger(settings)
    harness.accounts = Accounts(KeyTable(client), settings.master_key_bytes())
    harness.store = RedisLedger(client, settings.ledger_limits())
    harness.presence = RedisPresence(client)
    harness.windows = redis_storage(client)
    harness.app = harness.make_app(settings)
    return harness


def test_alive(gateway: Harness) -> None:
    response = gateway.app.test_client().get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"alive": True})


def test_ready_with_a_worker_and_not_without(gateway: Harness, worker: WorkerPresence) -> None:
    assert ready(gateway) == (503, {"ready": False, "missing": ["worker"], "workers": []})
    gateway.presence.announce(worker, 10)
    status, body = ready(gateway)
    assert (status, body["ready"], body["missing"]) == (200, True, [])
    assert body["workers"] == [
        {
            "owner": "w1",
            "lane": gateway.lane,
            "model": "isnet-general-use",
            "engine": "onnxruntime 1.31",
            "provider": "CPUExecutionProvider",
            "dtype": "fp32",
            "threads": 2,
        }
    ]
    gateway.presence.leave("w1")
    assert ready(gateway)[0] == 503


def test_a_ledger_that_is_away(gateway: Harness) -> None:
    harness = away(gateway, make_settings(redis_url="unix:///nowhere/redis.sock"))
    assert ready(harness) == (503, {"ready": False, "missing": ["ledger", "worker"], "workers": []})
    assert harness.app.test_client().get("/healthz").status_code == 200
    response = harness.post(
        '{"Action":"ListTasksDetails","PublicKey":"abcdefg","Signature":"x","request_uuid":"r"}'
    )
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.get_json() == {
        "RetCode": 130,
        "Action": "ListTasksDetails",
        "Message": "Service error and break",
        "request_uuid": "r",
    }


def test_a_ledger_that_does_not_answer_is_given_up_soon(gateway: Harness, deaf_server: str) -> None:
    harness = away(gateway, make_settings(redis_url=deaf_server))
    started = time.monotonic()
    response = harness.post('{"Action":"ListTasksDetails","PublicKey":"abcdefg","Signature":"x"}')
    assert (response.status_code, response.get_json()["RetCode"]) == (503, 130)
    assert time.monotonic() - started < 2.5


def test_a_blob_store_that_is_away(gateway: Harness, tmp_path: Path) -> None:
    gateway.blobs = FileBlobStore(tmp_path / "blobs")
    gateway.app = gateway.make_app(gateway.settings)
    shutil.rmtree(tmp_path / "blobs")
    assert ready(gateway)[1]["missing"] == ["blob store", "worker"]
    response = gateway.app.test_client().post("/", json=gateway.signed_picture(pictures.BASE64_8X8))
    assert (response.status_code, response.get_json()["RetCode"]) == (503, 130)
    assert gateway.store.waiting(gateway.lane) == 0


def test_a_full_queue(gateway: Harness) -> None:
    limits = make_settings(account_queue_cap=1)
    gateway.store = FreshLedger(limits.ledger_limits())
    gateway.app = gateway.make_app(limits)
    gateway.submit()
    body = gateway.signed_picture(pictures.BASE64_8X8)
    response = gateway.app.test_client().post("/", json=body)
    assert (response.status_code, response.get_json()["RetCode"]) == (429, 153)
    assert response.headers["Retry-After"] == "2"
    assert len(gateway.stored()) == 1
    tolerant = gateway.make_app(make_settings(throttle_status=200))
    assert tolerant.test_client().post("/", json=body).status_code == 200


def test_a_fault_of_this_server_shows_no_trace(gateway: Harness) -> None:
    # Records under another master key cannot be opened.
    KeyPairs(gateway.accounts).add("other", public_key="other")
    strange = Accounts(gateway.accounts.table, bytes(32))
    client = gateway.make_app(gateway.settings, accounts=strange).test_client()
    response = client.post("/", json={"Action": "ListTasksDetails", "PublicKey": "other", "Signature": "x"})
    assert response.status_code == 500
    assert response.get_json().keys() == {"RetCode", "Action", "Message", "request_uuid"}
    assert (response.get_json()["RetCode"], response.get_json()["Action"]) == (130, "ListTasksDetails")
    assert b"Traceback" not in response.data
