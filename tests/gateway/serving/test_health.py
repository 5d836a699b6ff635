"""What supervisors are told, and what callers are told when a part is away."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.serving import health
from cutgate.gateway.serving.health import Readiness
from cutgate.jobs.answers import Memory, WorkerPresence
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.redis_client import connect_ledger
from tests.gateway import picture_files as pictures
from tests.gateway.harness import Harness, make_harness, make_settings
from tests.jobs.build import run_at_once
from tests.ledgers import ReadableLedger

PICTURE = json.dumps(Harness.signed_picture(pictures.BASE64_8X8))
LIST = '{"Action":"ListTasksDetails","PublicKey":"abcdefg","Signature":"x"}'
WORKER: dict[str, Any] = {
    "owner": "w1",
    "away": "",
    "lane": "isnet-general-use:exact",
    "model": "isnet-general-use",
    "engine": "onnxruntime 1.31",
    "provider": "CPUExecutionProvider",
    "dtype": "fp32",
    "threads": 2,
}

pytestmark = pytest.mark.constants(health, KEEP_SECONDS=0)


def ready(harness: Harness) -> int:
    """What anybody reads: yes or no."""
    response = harness.app.test_client().get("/readyz")
    assert response.get_json() == {"ready": response.status_code == 200}
    return response.status_code


def away(harness: Harness, redis_url: str) -> Harness:
    """The gateway, its ledger's server being another one."""
    settings = make_settings(redis_url=redis_url)
    client = connect_ledger(settings)
    store = ReadableLedger(client, settings.ledger_limits())
    return replace(
        harness,
        settings=settings,
        accounts=Accounts(KeyTable(client), settings.master_keys()),
        store=store,
        presence=store.presence,
    )


def test_alive(gateway: Harness) -> None:
    response = gateway.app.test_client().get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"alive": True})


def test_ready_with_a_worker_and_not_without(gateway: Harness) -> None:
    assert ready(gateway) == 503
    assert gateway.readiness() == {"status": 503, "ready": False, "missing": ["worker"], "workers": []}
    gateway.presence.announce(WorkerPresence(**WORKER), 10)
    assert ready(gateway) == 200
    assert gateway.readiness() == {"status": 200, "ready": True, "missing": [], "workers": [WORKER]}
    gateway.presence.announce(WorkerPresence(**WORKER | {"away": "inference_unavailable"}), 10)
    assert ready(gateway) == 503
    gateway.presence.leave("w1")
    assert ready(gateway) == 503


def test_ready_and_cold_where_workers_come_by_need() -> None:
    gateway = make_harness(make_settings(scale_to_zero=True)).with_pair()
    answer = gateway.app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True, "cold": True})
    assert gateway.readiness() == {"status": 200, "ready": True, "cold": True, "missing": [], "workers": []}
    gateway.submit()
    gateway.presence.announce(WorkerPresence(**WORKER), 10)
    assert gateway.readiness() == {"status": 200, "ready": True, "missing": [], "workers": [WORKER]}
    gateway.presence.leave("w1")
    gateway.store.server.wrong = "the storage is another installation's"
    assert gateway.readiness()["missing"] == ["installation"]


def test_nobody_learns_names_or_has_anything_written_without_a_key(gateway: Harness, tmp_path: Path) -> None:
    gateway.presence.announce(WorkerPresence(**WORKER), 10)
    root = tmp_path / "blobs"
    harness = replace(gateway, blobs=FileBlobStore(root))
    root.chmod(0o500)
    before = root.stat().st_mtime_ns
    answer = harness.app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True})
    assert root.stat().st_mtime_ns == before
    root.rename(tmp_path / "elsewhere")
    assert ready(harness) == 503


@pytest.mark.constants(health, KEEP_SECONDS=60)
def test_many_that_ask_look_once(gateway: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.presence.announce(WorkerPresence(**WORKER), 10)
    checks: list[None] = []
    looks = Readiness(gateway.parts(), lambda: checks.append(None))
    assert run_at_once(8, lambda _: looks.findings().missing) == [()] * 8
    gateway.presence.leave("w1")
    assert (looks.findings().missing, len(checks)) == ((), 1)
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert (looks.findings().missing, len(checks)) == (("worker",), 2)


def test_a_ledger_that_is_away(gateway: Harness) -> None:
    harness = away(gateway, "unix:///nowhere/redis.sock")
    assert ready(harness) == 503
    assert harness.readiness()["missing"] == ["ledger", "worker"]
    assert harness.app.test_client().get("/healthz").status_code == 200
    response = harness.post(LIST)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.get_json()["RetCode"] == 130


def test_a_clock_that_is_half_an_hour_off_is_told(gateway: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every submission would be refused as uploaded too long ago."""
    gateway.presence.announce(WorkerPresence(**WORKER), 10)
    monkeypatch.setattr(gateway.store.server, "clock_offset_seconds", lambda: -1_800.0)
    assert (ready(gateway), gateway.readiness()["missing"]) == (503, ["right clock"])


def test_a_ledger_that_is_almost_full_refuses_new_tasks(gateway: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Memory(used_bytes=95, limit_bytes=100)
    monkeypatch.setattr(gateway.store.server, "memory", lambda: full)
    response = gateway.post(PICTURE)
    assert (response.status_code, response.get_json()["RetCode"]) == (503, 130)
    assert int(response.headers["Retry-After"]) > 0
    gateway.assert_nothing_left()
    monkeypatch.undo()
    monkeypatch.setattr("cutgate.jobs.ledger.server.ROOM_SECONDS", 0)
    assert gateway.code(PICTURE) == 0
