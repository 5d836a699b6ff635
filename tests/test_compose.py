"""docker-compose.yml without an engine: schema, the house's rules, and a run as processes."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

import jsonschema
import pytest

from gateway.courier.settings import CourierSettings
from keycut import Client
from tests.composed import ROOT, ComposedService, compose_file
from tests.ports import free_port
from worker.settings import WorkerSettings

WORKERS = 3


def test_the_file_keeps_to_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose_file())


def test_every_service_is_watched_and_restarted() -> None:
    for name, service in compose_file()["services"].items():
        assert {"healthcheck", "restart", "stop_grace_period"} <= set(service), name


def test_only_the_gateway_is_reachable_and_by_default_from_here_alone() -> None:
    file = compose_file()
    assert {name for name, service in file["services"].items() if "ports" in service} == {"gateway"}
    outside = {name for name, service in file["services"].items() if "outside" in service["networks"]}
    assert outside == {"gateway", "courier"}
    assert file["services"]["gateway"]["ports"] == ["127.0.0.1:8080:8080"]
    assert file["networks"]["inside"]["internal"] is True


def test_data_lies_on_named_volumes_and_secrets_in_files() -> None:
    file = compose_file()
    for service in file["services"].values():
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(file["volumes"])
    for name in ("gateway", "courier", "worker"):
        assert file["services"][name]["secrets"] == ["keycut_master_key"]
        assert "KEYCUT_MASTER_KEY" not in file["services"][name]["environment"]
    assert "file" in file["secrets"]["keycut_master_key"]


def test_a_stopping_worker_may_give_its_picture_back() -> None:
    grace = compose_file()["services"]["worker"]["stop_grace_period"]
    stop_grace_seconds = WorkerSettings.model_fields["stop_grace_seconds"].default
    assert float(grace.removesuffix("s")) > stop_grace_seconds + 5


def test_a_stopping_courier_may_give_its_errands_back() -> None:
    grace = compose_file()["services"]["courier"]["stop_grace_period"]
    stop_seconds = CourierSettings.model_fields["courier_stop_seconds"].default
    assert float(grace.removesuffix("s")) > stop_seconds + 5


@pytest.mark.usefixtures("weights_dir")
def test_the_services_do_a_job_with_three_workers(tmp_path: Path) -> None:
    with ComposedService(tmp_path, free_port(), free_port(), KEYCUT_THREADS="1") as composed:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        (tmp_path / "secrets" / "keycut_master_key").write_text(key, encoding="ascii")
        composed.start("redis")
        composed.start("gateway")
        composed.start("courier")
        for _ in range(WORKERS):
            composed.start("worker")
        added = composed.run("gateway", ["python", "-m", "gateway", "keys", "add", "--name", "first", "--json"])
        assert added.returncode == 0, added.stderr
        account = json.loads(added.stdout)
        with Client(composed.url, account["public_key"], account["private_key"]) as client:
            job = client.remove_background(ROOT / "examples" / "coffee.jpg")
            job.wait(timeout_seconds=120)
            job.save(tmp_path / "coffee.png")
        assert (tmp_path / "coffee.png").read_bytes().startswith(b"\x89PNG")
