"""Tests of each pod's environment: its process starts with it, and times and ports fit the settings."""

import os
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_settings import BaseSettings

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.sockets.hub import IDLE_SECONDS
from cutgate.jobs.settings import SECRETS_DIR_VARIABLE, load_settings
from cutgate.worker.settings import WorkerSettings
from tests.deploy.kubernetes.installation import PARTS, SECRETS, Installation, fields_of
from tests.servers.stack import LiveStack

pytestmark = pytest.mark.needs("kubectl")

KINDS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "courier": CourierSettings,
    "worker": WorkerSettings,
}
KNOWN = {f"CUTGATE_{name.upper()}" for kind in KINDS.values() for name in kind.model_fields}
MARGIN_SECONDS = 5
SettingsOf = Callable[[Installation, str], dict[str, Any]]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def mount_as_the_kubelet_does(secrets: Mapping[str, str], folder: Path) -> None:
    """Secrets as links over a link to a folder with a date in its name."""
    (folder / "..2026_11_20").mkdir(parents=True)
    (folder / "..data").symlink_to("..2026_11_20")
    for name, text in secrets.items():
        (folder / "..2026_11_20" / name).write_text(f"{text}\n", encoding="ascii")
        (folder / name).symlink_to(Path("..data") / name)


@pytest.fixture
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SettingsOf:
    """What a part's process reads, from its environment and its secrets, which are put into a new folder."""

    def read(installation: Installation, part: str) -> dict[str, Any]:
        for name in [name for name in os.environ if name.startswith("CUTGATE_")]:
            monkeypatch.delenv(name)
        environment = installation.environment(part)
        (mount,) = (mount for mount in installation.container(part)["volumeMounts"] if mount["name"] == "secrets")
        assert environment[SECRETS_DIR_VARIABLE] == mount["mountPath"]
        secrets_dir = tmp_path / f"{part}-secrets"
        mount_as_the_kubelet_does(installation.secrets(part), secrets_dir)
        for name, value in (environment | {SECRETS_DIR_VARIABLE: str(secrets_dir)}).items():
            monkeypatch.setenv(name, value)
        return load_settings(KINDS[part]).model_dump()

    return read


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_start(installation: Installation, part: str, settings_of: SettingsOf) -> None:
    assert installation.environment(part).keys() <= KNOWN | {SECRETS_DIR_VARIABLE}
    secrets = {name.upper() for name in installation.secrets(part)}
    assert secrets <= KNOWN
    assert not secrets & installation.environment(part).keys(), "the environment goes before the files"
    settings = settings_of(installation, part)
    has_redis = "redis" in installation.workloads()
    own_url = SECRETS[f"redis_url_{part}" if has_redis else "cutgate_redis_url"]
    assert settings["redis_url"].get_secret_value() == own_url
    assert ("CUTGATE_MASTER_KEY" in secrets) == (part != "worker")
    assert part == "worker" or settings["master_key"].get_secret_value() == SECRETS["cutgate_master_key"]
    # Without a file or a bucket in common a result would never be found.
    assert settings["blob_store"] == "s3" or has_volume(installation, part, settings["blob_dir"])


def has_volume(installation: Installation, part: str, blob_dir: Path) -> bool:
    """Whether the folder lies in the shared volume, and is not the place where that is mounted."""
    mounts = installation.container(part)["volumeMounts"]
    return [mount["mountPath"] for mount in mounts if mount["name"] == "blobs"] == [str(blob_dir.parent)]


def test_ports_are_those_of_the_settings(installation: Installation, settings_of: SettingsOf) -> None:
    for part, field in (
        ("gateway", "metrics_port"),
        ("courier", "courier_metrics_port"),
        ("worker", "worker_metrics_port"),
    ):
        settings = settings_of(installation, part)
        assert settings["metrics_host"] == "0.0.0.0"
        assert settings[field] == installation.port(part, "metrics")
        annotations = installation.workloads()[part]["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(settings[field])
        if part == "gateway":
            assert (settings["host"], settings["port"]) == ("0.0.0.0", installation.port(part, "http"))


def test_whoever_stops_has_the_time_that_it_may_take(installation: Installation, settings_of: SettingsOf) -> None:
    for part, field in (
        ("gateway", "shutdown_seconds"),
        ("courier", "courier_stop_seconds"),
        ("worker", "stop_grace_seconds"),
    ):
        stop_seconds = settings_of(installation, part)[field]
        before = installation.container(part).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        grace_seconds = installation.pod(part)["terminationGracePeriodSeconds"]
        assert grace_seconds > before.get("seconds", 0) + stop_seconds + MARGIN_SECONDS, part
    assert installation.container("gateway")["lifecycle"]["preStop"]["sleep"]["seconds"] > 0


def patience_seconds(installation: Installation, part: str, probe: str) -> int:
    rule = installation.container(part)[probe]
    return int(rule["periodSeconds"] * rule["failureThreshold"])


def test_probes_are_patient_enough(installation: Installation, settings_of: SettingsOf) -> None:
    gateway = settings_of(installation, "gateway")
    # Calls that wait for results may hold every thread that could answer.
    assert patience_seconds(installation, "gateway", "livenessProbe") > gateway["runware_sync_seconds"] + 30
    worker = settings_of(installation, "worker")
    assert patience_seconds(installation, "worker", "startupProbe") > worker["start_timeout_seconds"] + 60
    for part in PARTS:
        # What would restart a part asks the part alone: Redis being away is no reason.
        assert "httpGet" in installation.container(part)["livenessProbe"]
        probes = [installation.container(part).get(probe) for probe in PROBES]
        assert set(fields_of(probes, "path")) <= {"/healthz", "/metrics"}, "/readyz asks what all of them share"
        # A command starts a Python, which takes a processor for most of a second.
        assert "exec" not in installation.container(part).get("readinessProbe", {})


@pytest.mark.long
def test_the_paths_of_probes_answer(installation: Installation, stack: LiveStack) -> None:
    metrics = {
        part: stack.settings[f"CUTGATE_{infix}METRICS_PORT"]
        for part, infix in (("gateway", ""), ("courier", "COURIER_"), ("worker", "WORKER_"))
    }
    for part, probe in product(PARTS, PROBES):
        if asked := installation.container(part).get(probe, {}).get("httpGet"):
            base = stack.url if asked["port"] == "http" else f"http://127.0.0.1:{metrics[part]}"
            assert httpx.get(base + asked["path"], trust_env=False).status_code == 200, (part, probe)


@pytest.mark.parametrize("name", ["production", "production-gpu"])
def test_the_ingress_is_open(name: str, installations: dict[str, Installation], settings_of: SettingsOf) -> None:
    installation = installations[name]
    ingress = installation.one("Ingress", "gateway")
    settings = settings_of(installation, "gateway")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.org/client-max-body-size"] == f"{settings['max_batch_body_bytes'] // 2**20}m"
    waits_seconds = max(settings["runware_sync_seconds"], IDLE_SECONDS)
    for side in ("read", "send"):
        assert float(annotations[f"nginx.org/proxy-{side}-timeout"].removesuffix("s")) > waits_seconds
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    assert settings["public_url"] == f"https://{rule['host']}"
    assert tls["hosts"] == [rule["host"]]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    service = installation.one("Service", backend["name"])
    assert [port["name"] for port in service["spec"]["ports"]] == [backend["port"]["name"]]
    assert annotations["nginx.org/websocket-services"] == backend["name"]
    assert settings["trusted_proxies"], "else all callers have the ingress's address"
