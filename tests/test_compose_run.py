"""docker-compose.yml at work: as processes on this machine, and in containers where an engine is."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from keycut import Client
from tests.compose_model import ROOT, project
from tests.composed import ComposedService
from tests.ports import free_port
from tests.s3_server import Bucket
from tests.tiny_network import write_tiny_model
from tests.tls import write_certificates

WORKERS = 3
PNG = b"\x89PNG"
COFFEE = ROOT / "examples" / "coffee.jpg"
NETWORKS_THAT_TEST = {"KEYCUT_THREADS": "1", "KEYCUT_ENGINE": "onnxruntime"}


def cut_out(url: str, account: Any, target: Path, transport: httpx.BaseTransport | None = None) -> bytes:
    """Send the photo and wait for its cut-out."""
    with Client(url, account["public_key"], account["private_key"], transport=transport) as client:
        job = client.remove_background(COFFEE)
        job.wait(timeout_seconds=120)
        job.save(target)
    return target.read_bytes()


def test_the_services_do_a_job_with_three_workers(tmp_path: Path, weights_dir: Path) -> None:
    placed = {"KEYCUT_THREADS": "1", "KEYCUT_MODELS_DIR": str(weights_dir)}
    with ComposedService(tmp_path, project(), **placed) as composed:
        composed.start_ledger_and_gateway()
        for _ in range(WORKERS):
            composed.start("worker")
        composed.wait_for_workers(WORKERS)
        assert cut_out(composed.url, composed.add_account(), tmp_path / "coffee.png").startswith(PNG)
        for port in ("9101", "9103"):
            assert httpx.get(f"http://127.0.0.1:{composed.ports[port]}/metrics").status_code == 200


@dataclass(frozen=True)
class Fronted:
    """The services with a bucket for pictures, and the proxy in front."""

    composed: ComposedService
    url: str
    trust: ssl.SSLContext
    account: Any

    def transport(self, address: str) -> httpx.HTTPTransport:
        """Connects from an address of this machine."""
        return httpx.HTTPTransport(verify=self.trust, local_address=address)


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory, module_bucket: Bucket) -> Iterator[Fronted]:
    folder = tmp_path_factory.mktemp("composed")
    overrides = ("deploy/compose/s3.yml", "deploy/compose/certificates.yml")
    port = free_port()
    settings = module_bucket.settings
    model = project(
        *overrides,
        KEYCUT_MODEL="tiny",
        KEYCUT_S3_BUCKET=settings.s3_bucket,
        KEYCUT_DOMAIN=f"127.0.0.1:{port}",
    )
    (folder / "models").mkdir()
    write_tiny_model(folder / "models")
    placed = {"KEYCUT_MODELS_DIR": str(folder / "models"), "KEYCUT_FAILED_SIGNATURES_PER_MINUTE": "2"}
    with ComposedService(folder, model, **NETWORKS_THAT_TEST, **placed) as composed:
        assert settings.s3_endpoint_url is not None
        composed.places["http://minio:9000"] = settings.s3_endpoint_url
        composed.keep_secret("keycut_s3_access_key", settings.s3_access_key)
        composed.keep_secret("keycut_s3_secret_key", settings.s3_secret_key.get_secret_value())
        authority, certificate, key = write_certificates(folder)
        certificate.rename(folder / "secrets" / "tls_certificate")
        key.rename(folder / "secrets" / "tls_key")
        composed.place_files(ROOT / "deploy" / "compose" / "caddy", "caddy")
        composed.start_ledger_and_gateway()
        composed.start("worker")
        composed.start("tls", KEYCUT_HTTP_PORT=str(composed.ports["http"]), XDG_DATA_HOME=str(folder / "data"))
        trust = ssl.create_default_context(cafile=str(authority))
        yield Fronted(composed, f"https://127.0.0.1:{port}", trust, composed.add_account())
