"""The real server: commands as an operator types them, gunicorn, HTTP, Redis, files."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import new_token, result_key
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Result
from cutgate.jobs.spec import Lane
from tests.gateway import picture_files as pictures
from tests.gateway.harness import MASTER_KEY, signed
from tests.gateway.installation import Installation
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

START_SECONDS = 20
LANE = Lane("isnet-general-use:exact")


@dataclass
class LiveGateway:
    """A gateway that serves."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with redis_server() as redis_url:
        yield Installation(redis_url, tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def live(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    port = free_port()
    log = tmp_path_factory.mktemp("logs") / "gateway.log"
    command = [sys.executable, "-m", "cutgate.gateway", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=installation.environment, stdout=output, stderr=output) as process,
    ):
        gateway = LiveGateway(process, f"http://127.0.0.1:{port}", log)
        try:
            eventually(
                lambda: httpx.get(f"{gateway.url}/healthz").status_code == 200,
                START_SECONDS,
                say=log.read_text,
                despite=(httpx.TransportError,),
            )
            yield gateway
        finally:
            process.kill()


@pytest.fixture(scope="module")
def keys(installation: Installation) -> dict[str, str]:
    pair = installation.keys("add", "--name", "anna", "--credits", "5")
    assert isinstance(pair, dict)
    return pair


def call(gateway: LiveGateway, keys: dict[str, str], action: str, **fields: Any) -> dict[str, Any]:
    params = {"Action": action, "PublicKey": keys["public_key"], **fields}
    answer = httpx.post(gateway.url, json=signed(params, keys["private_key"]))
    assert answer.status_code == 200
    body = answer.json()
    assert isinstance(body, dict)
    return body


def test_keys_are_added_once_and_listed_without_secrets(installation: Installation, keys: dict[str, str]) -> None:
    assert keys.keys() == {"account", "public_key", "private_key", "available_credits"}
    taken = installation.keys("add", "--name", "bert", "--public-key", "abcdefg", given="123456\n")
    assert (taken["public_key"], taken["private_key"]) == ("abcdefg", "123456")
    refused = installation.run("keys", "add", "--public-key", "abcdefg", given="other\n")
    assert (refused.returncode, refused.stderr) == (1, "Error: the public key is taken\n")
    assert installation.run("keys", "add", "--public-key", "new").returncode == 1
    listed = installation.keys("list")
    (bert,) = (pair for pair in listed if pair["account"] == "bert")
    assert bert.items() >= {"public_key": "abcdefg", "active": True, "private_key_count": 1}.items()
    assert keys["private_key"] not in json.dumps(listed)
    assert "anna" in installation.run("keys", "list").stdout


def test_wrong_settings_are_named_all_at_once_without_their_values(installation: Installation) -> None:
    done = installation.run(
        "serve", CUTGATE_MASTER_KEY="c2VjcmV0", CUTGATE_PORT="x", CUTGATE_TRUSTED_PROXIES="proxy"
    )
    assert done.returncode == 1
    for name in ("CUTGATE_MASTER_KEY", "CUTGATE_PORT", "CUTGATE_TRUSTED_PROXIES"):
        assert name in done.stderr
    assert "c2VjcmV0" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ledger_that_is_away_is_told_in_a_line(installation: Installation) -> None:
    done = installation.run("keys", "list", CUTGATE_REDIS_URL="unix:///nowhere/redis.sock")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.fixture(scope="module")
def finished(live: LiveGateway, installation: Installation, keys: dict[str, str]) -> str:
    """A task whose one picture a worker has cut out."""
    answer = call(live, keys, "RemoveBackground", RawImage=pictures.BASE64_8X8, request_uuid="round")
    assert answer["RetCode"] == 0, answer
    with connect(installation.redis_url) as client:
        assert client.llen(f"cutgate.{LANE}") == 1
        ledger = RedisLedger(client, LedgerLimits())
        claim = ledger.claim([LANE], "worker", new_token())
        assert claim is not None
        key = result_key(claim.task, claim.index, claim.token)
        FileBlobStore(installation.blob_dir).put(key, b"picture")
        result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=7)
        assert ledger.finish(claim, result)
    return str(answer["TaskUID"])


def test_a_picture_goes_round(live: LiveGateway, keys: dict[str, str], finished: str) -> None:
    (entry,) = call(live, keys, "ListTasksDetails", TaskUIDList=[finished])["TaskDetailList"]
    (url,) = entry["ImgList"]
    assert url.startswith(live.url)
    fetched = httpx.get(url, headers={"Range": "bytes=0-2"})
    assert (fetched.status_code, fetched.content, fetched.headers["Content-Type"]) == (206, b"pic", "image/png")
    assert httpx.head(url).headers["Content-Length"] == "7"


def test_the_forwarded_address_of_a_trusted_proxy_counts(
    live: LiveGateway, keys: dict[str, str], finished: str
) -> None:
    request = signed(
        {"Action": "ListTasksDetails", "PublicKey": keys["public_key"], "TaskUIDList": [finished]},
        keys["private_key"],
    )
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cut.example"}
    (entry,) = httpx.post(live.url, json=request, headers=headers).json()["TaskDetailList"]
    assert entry["ImgList"][0].startswith("https://cut.example/r/")


def test_bodies_without_a_length_and_bodies_over_the_limit(live: LiveGateway, keys: dict[str, str]) -> None:
    params = {
        "Action": "ListTasksDetails",
        "PublicKey": keys["public_key"],
        "TaskUIDList": ["d5ari00q5cu0v880200g"],
    }
    body = json.dumps(signed(params, keys["private_key"])).encode()
    with httpx.Client(base_url=live.url) as client:
        assert client.post("/", content=iter([body[:10], body[10:]])).json()["RetCode"] == 0
        for content in (b"{" + b" " * 500_000, iter([b"{", b" " * 500_000])):
            refused = client.post("/", content=content)
            assert (refused.status_code, refused.json()["RetCode"]) == (413, 230)
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", 200),
    ],
)
def test_what_is_no_http_is_answered_in_json(live: LiveGateway, sent: bytes, status: int) -> None:
    host, _, port = live.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=START_SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/json" in head
    answer = json.loads(body)
    assert uuid.UUID(answer.pop("request_uuid"))
    assert answer == {"RetCode": 160, "Action": "", "Message": "Missing Action"}


def test_no_worker_no_readiness(live: LiveGateway) -> None:
    answer = httpx.get(f"{live.url}/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["worker"])


def test_it_stops_in_order_and_its_log_holds_no_secret(
    live: LiveGateway, keys: dict[str, str], finished: str
) -> None:
    live.process.send_signal(signal.SIGTERM)
    assert live.process.wait(timeout=START_SECONDS) == 0
    text = live.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line["event"].startswith("Listening at") for line in lines)
    accepted = next(line for line in lines if line.get("request_uuid") == "round")
    assert (
        accepted.items() >= {"account": "anna", "action": "RemoveBackground", "ret_code": 0, "status": 200}.items()
    )
    assert accepted["task_uid"] == finished
    for secret in (keys["private_key"], MASTER_KEY, pictures.BASE64_8X8[:40], "/r/"):
        assert secret not in text
