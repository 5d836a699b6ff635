"""Tests of docker-compose.yml as processes: bucket, proxy, TLS; `engine/` runs it in containers."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from cutgate import Client
from tests.deploy.compose_model import ROOT, project
from tests.deploy.composed import ComposedService
from tests.pictures.tiny_network import tiny_environment
from tests.servers.ports import free_port
from tests.servers.s3_server import Bucket, new_bucket, s3_settings
from tests.servers.tls import write_certificates

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.long

PNG = b"\x89PNG"
COFFEE = ROOT / "examples" / "coffee.jpg"


def cut_out(
    url: str, account: Mapping[str, Any], target: Path, transport: httpx.BaseTransport | None = None
) -> bytes:
    with Client(url, account["public_key"], account["private_key"], transport=transport) as client:
        job = client.remove_background(COFFEE)
        status = job.wait(timeout_seconds=120)
        job.save(target)
    assert all(address.startswith(f"{url}/r/") for address in status.result_urls)
    return target.read_bytes()


@dataclass(frozen=True)
class Fronted:
    """The services with a bucket for pictures, and the proxy in front."""

    composed: ComposedService
    bucket: Bucket
    url: str
    trust: ssl.SSLContext
    account: Mapping[str, Any]

    def ask_with_a_wrong_signature(self, url: str, address: str, **headers: str) -> int:
        """The RetCode of a request from an address of this machine."""
        body = {
            "Action": "ListTasksDetails",
            "PublicKey": self.account["public_key"],
            "TaskUIDList": ["d5ari00q5cu0v880200g"],
            "Signature": "0" * 40,
        }
        with httpx.Client(transport=httpx.HTTPTransport(verify=self.trust, local_address=address)) as client:
            return int(client.post(url, json=body, headers=headers).json()["RetCode"])


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory, s3_url: str, s3_client: S3Client) -> Iterator[Fronted]:
    folder, port = tmp_path_factory.mktemp("composed"), free_port()
    with new_bucket(s3_client, s3_settings(s3_url)) as bucket:
        model = project(
            "deploy/compose/s3.yml",
            "deploy/compose/certificates.yml",
            CUTGATE_MODEL="tiny",
            CUTGATE_S3_BUCKET=bucket.name,
            CUTGATE_S3_ENDPOINT_URL=str(bucket.settings.s3_endpoint_url),
            CUTGATE_DOMAIN=f"127.0.0.1:{port}",
        )
        placed = tiny_environment(folder) | {"CUTGATE_FAILED_SIGNATURES_PER_MINUTE": "2"}
        with ComposedService(folder, model, CUTGATE_ENGINE="onnxruntime", **placed) as composed:
            composed.keep_secret("cutgate_s3_access_key", bucket.settings.s3_access_key)
            composed.keep_secret("cutgate_s3_secret_key", bucket.settings.s3_secret_key.get_secret_value())
            authority, certificate, key = write_certificates(folder)
            certificate.rename(folder / "secrets" / "tls_certificate")
            key.rename(folder / "secrets" / "tls_key")
            composed.place_files(ROOT / "deploy" / "compose" / "caddy", "caddy")
            composed.start("redis", "gateway", "courier", "worker", "tls")
            composed.wait_for_workers(1)
            trust = ssl.create_default_context(cafile=str(authority))
            yield Fronted(composed, bucket, f"https://127.0.0.1:{port}", trust, composed.add_account())


def test_a_job_over_https_with_its_pictures_in_a_bucket(fronted: Fronted, tmp_path: Path) -> None:
    transport = httpx.HTTPTransport(verify=fronted.trust)
    assert cut_out(fronted.url, fronted.account, tmp_path / "coffee.png", transport).startswith(PNG)
    assert any("/result-" in name for name in fronted.bucket.names())
    assert not list((fronted.composed.folder / "blobs").iterdir())


def test_wrong_signatures_are_counted_by_the_callers_own_address(fronted: Fronted) -> None:
    def ask(address: str, **headers: str) -> int:
        return fronted.ask_with_a_wrong_signature(fronted.url, address, **headers)

    assert [ask("127.0.0.7") for _ in range(3)] == [171, 171, 153]
    assert ask("127.0.0.8") == 171
    # Whose the request is, the proxy says, not its sender.
    assert ask("127.0.0.7", **{"X-Forwarded-For": "127.0.0.9"}) == 153


def test_past_the_proxy_nobody_chooses_an_address(fronted: Fronted) -> None:
    codes = [
        fronted.ask_with_a_wrong_signature(
            fronted.composed.url, "127.0.0.10", **{"X-Forwarded-For": f"127.0.1.{number}"}
        )
        for number in range(3)
    ]
    assert codes == [171, 171, 153]


def test_a_websocket_comes_through(fronted: Fronted) -> None:
    with connect(f"{fronted.url.replace('https', 'wss', 1)}/v1", ssl=fronted.trust) as socket:
        socket.send(json.dumps([{"taskType": "authentication", "apiKey": "none"}]))
        assert "Invalid API key" in str(socket.recv(timeout=60))


def test_plain_http_is_sent_to_https(fronted: Fronted) -> None:
    answer = httpx.get(f"http://127.0.0.1:{fronted.composed.ports['http']}/")
    assert answer.status_code == 308
    assert answer.headers["Location"].startswith("https://127.0.0.1")


MC = """#!/bin/sh
# Says what it was asked for, and what it was told in private.
echo "mc $*" >> "$SAID"
case "$*" in
    "alias set"* | "admin user add"*) sed 's/^/  stdin: /' >> "$SAID" ;;
    "admin policy create"*) python3 -m json.tool "$6" > /dev/null ;;
    "admin user info"*) cat "$INFO" ;;
esac
"""


def test_the_bucket_is_made_without_secrets_among_arguments(tmp_path: Path) -> None:
    """The script, with a program in place of MinIO's client that writes down how it was called."""
    said, info, setup = tmp_path / "said", tmp_path / "info", tmp_path / "bucket.sh"
    secrets = ("minio_root_password", "cutgate_s3_access_key", "cutgate_s3_secret_key")
    for name in secrets:
        (tmp_path / name).write_text(f"the {name}\n")
    info.write_text("")
    (tmp_path / "mc").write_text(MC)
    (tmp_path / "mc").chmod(0o755)
    script = (ROOT / "deploy/compose/minio/bucket.sh").read_text(encoding="utf-8")
    setup.write_text(
        script.replace("/run/secrets", str(tmp_path)).replace("/tmp/policy", str(tmp_path / "policy"))
    )
    environment = {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAID": str(said),
        "INFO": str(info),
        "CUTGATE_S3_BUCKET": "pictures",
    }
    subprocess.run(["sh", setup], env=environment, check=True)
    lines = said.read_text().splitlines()
    attach = "mc admin policy attach minio cutgate-reads-and-writes-pictures --user the cutgate_s3_access_key"
    assert [line for line in lines if line.startswith("mc ")] == [
        "mc alias set minio http://minio:9000",
        "mc mb --ignore-existing minio/pictures",
        f"mc admin policy create minio cutgate-reads-and-writes-pictures {tmp_path}/policy.json",
        "mc admin user add minio",
        "mc admin user info minio the cutgate_s3_access_key",
        attach,
    ]
    told = [line.removeprefix("  stdin: ") for line in lines if not line.startswith("mc ")]
    assert told == ["cutgate-root", *(f"the {name}" for name in secrets)]
    info.write_text("PolicyName: cutgate-reads-and-writes-pictures")
    subprocess.run(["sh", setup], env=environment, check=True)
    assert said.read_text().splitlines().count(attach) == 1
