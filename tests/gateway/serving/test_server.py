"""The real server: commands as an operator types them, uvicorn, HTTP, Redis, files."""

import json
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.ids import new_task_uid, new_token, result_key, source_key
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import ItemState, NewItem, NewTask, Result
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CutoutSpec, Lane, lane_of
from tests.gateway import picture_files as pictures
from tests.gateway.harness import MASTER_KEY, signed, there
from tests.gateway.installation import Installation, LiveGateway
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

START_SECONDS = 20
LANE = Lane("isnet-general-use:exact")
_SLOW_TO_START = """
import time
from cutgate.gateway.__main__ import main
from cutgate.gateway.serving import server
start = server.GatewayServer.__init__
def slowly(self, app, settings, number):
    time.sleep(number)
    start(self, app, settings, number)
server.GatewayServer.__init__ = slowly
main()
"""
"""A gateway whose second process takes a second until it handles signals."""


@pytest.fixture(scope="module")
def live(installation: Installation, keys: dict[str, str]) -> Iterator[LiveGateway]:
    """One for all tests, whatever they send it; its log holds no secret of theirs."""
    with installation.serving() as gateway:
        yield gateway
    assert gateway.process.returncode == 0
    assert lines_of(gateway, keys)


def lines_of(gateway: LiveGateway, keys: dict[str, str]) -> list[dict[str, Any]]:
    """What it has logged: JSON in every line, and no secret."""
    text = gateway.log.read_text()
    for secret in (keys["private_key"], MASTER_KEY, pictures.BASE64_8X8[:40], "/r/"):
        assert secret not in text
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def keys(installation: Installation) -> dict[str, str]:
    pair: dict[str, str] = installation.keys("add", "--name", "anna", "--credits", "5")
    return pair


def request(keys: dict[str, str], action: str, **fields: Any) -> dict[str, Any]:
    return signed({"Action": action, "PublicKey": keys["public_key"], **fields}, keys["private_key"])


def test_wrong_settings_are_named_all_at_once_without_their_values(installation: Installation) -> None:
    done = installation.call(
        "serve", CUTGATE_MASTER_KEY="c2VjcmV0", CUTGATE_PORT="x", CUTGATE_TRUSTED_PROXIES="proxy"
    )
    assert done.returncode == 1
    for name in ("CUTGATE_MASTER_KEY", "CUTGATE_PORT", "CUTGATE_TRUSTED_PROXIES"):
        assert name in done.stderr
    assert "c2VjcmV0" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ledger_that_is_away_is_told_in_a_line(installation: Installation) -> None:
    done = installation.call("keys", "list", CUTGATE_REDIS_URL="unix:///nowhere/redis.sock")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.fixture(scope="module")
def finished(live: LiveGateway, installation: Installation, keys: dict[str, str]) -> str:
    """A task whose one picture a worker has cut out."""
    body = request(keys, "RemoveBackground", RawImage=pictures.BASE64_8X8, request_uuid="round")
    answer = httpx.post(live.url, json=body).json()
    assert answer["RetCode"] == 0, answer
    with connect(installation.redis_url) as client:
        assert client.llen(queue_name(LANE)) == 1
        ledger = Ledger(client, LedgerLimits())
        claim = there(ledger.claims.take([LANE], "worker", new_token()))
        key = result_key(claim.task, claim.index, claim.token)
        FileBlobStore(installation.blob_dir).put(key, b"picture")
        result = Result(blob=key, media_type="image/png", width_px=8, height_px=8, size_bytes=7)
        assert ledger.claims.finish(claim, result)
    return str(answer["TaskUID"])


def test_a_picture_goes_round(live: LiveGateway, keys: dict[str, str], finished: str) -> None:
    body = request(keys, "ListTasksDetails", TaskUIDList=[finished])
    (entry,) = httpx.post(live.url, json=body).json()["TaskDetailList"]
    (url,) = entry["ImgList"]
    assert url.startswith(live.url)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cut.example"}
    (forwarded,) = httpx.post(live.url, json=body, headers=headers).json()["TaskDetailList"]
    assert forwarded["ImgList"] == [url.replace(live.url, "https://cut.example")]
    fetched = httpx.get(url, headers={"Range": "bytes=0-2"})
    assert (fetched.status_code, fetched.content, fetched.headers["Content-Type"]) == (206, b"pic", "image/png")
    assert httpx.head(url).headers["Content-Length"] == "7"


def test_bodies_without_a_length_and_bodies_over_the_limit(live: LiveGateway, keys: dict[str, str]) -> None:
    body = json.dumps(request(keys, "ListTasksDetails", TaskUIDList=["d5ari00q5cu0v880200g"])).encode()
    with httpx.Client(base_url=live.url) as client:
        assert client.post("/", content=iter([body[:10], body[10:]])).json()["RetCode"] == 0
        for content in (b"{" + b" " * 500_000, iter([b"{", b" " * 500_000])):
            refused = client.post("/", content=content)
            assert (refused.status_code, refused.json()["RetCode"]) == (413, 230)
        assert client.get("/healthz").status_code == 200


def test_a_large_body_of_an_address_that_is_shut_out_is_told_so_and_cut_off(live: LiveGateway) -> None:
    """The answer comes before the body, which is never sent, and then the connection ends."""
    from_there = {"X-Forwarded-For": "192.0.2.99"}
    wrong = {"Action": "ListModels", "PublicKey": "nobody", "Signature": "0" * 40}
    # One more is let pass every two seconds.
    codes = [httpx.post(live.url, json=wrong, headers=from_there).json()["RetCode"] for _ in range(31)]
    while codes[-1] != 153:
        codes.append(httpx.post(live.url, json=wrong, headers=from_there).json()["RetCode"])
    assert codes[:-1] == [172] * (len(codes) - 1)
    assert len(codes) > 30
    host, _, port = live.address.partition(":")
    rest = "Host: x\r\nX-Forwarded-For: 192.0.2.99\r\nContent-Length: 41943040\r\n\r\n"
    for path in ("/", "/v1"):
        with socket.create_connection((host, int(port)), timeout=START_SECONDS) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\n{rest}{{".encode() + b" " * 100_000)
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert received.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: " in received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nzz", 400),
    ],
)
def test_what_is_no_http_is_answered_in_json(live: LiveGateway, sent: bytes, status: int) -> None:
    host, _, port = live.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=START_SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/json" in head
    answer = json.loads(body)
    assert uuid.UUID(answer.pop("request_uuid"))
    errors = answer.pop("errors")
    said = HTTPStatus(status).phrase
    assert answer == {"RetCode": 160, "Action": "", "Message": said}
    # Clients of the other protocols read the first error, whatever is wrong.
    assert [(error["message"], error["title"]) for error in errors] == [(said, said)]


def test_a_body_that_comes_while_its_head_is_looked_at_is_no_part_of_it(live: LiveGateway) -> None:
    host, _, port = live.address.partition(":")
    head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 101000\r\n\r\n"
    for _ in range(10):
        with socket.create_connection((host, int(port)), timeout=START_SECONDS) as connection:
            connection.sendall(head.encode())
            connection.sendall(b" " * 100_000)
            time.sleep(0.1)  # the view wants the body by then
            connection.sendall(b" " * 1_000)
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert b"Missing Action" in received, received


def test_it_stops_in_order_and_its_log_holds_no_secret(
    installation: Installation, keys: dict[str, str], finished: str
) -> None:
    with installation.serving() as gateway:
        body = request(keys, "ListTasksDetails", TaskUIDList=[finished])
        (entry,) = httpx.post(gateway.url, json=body).json()["TaskDetailList"]
        assert httpx.get(entry["ImgList"][0]).content == b"picture"
        body = request(keys, "RemoveBackground", RawImage=pictures.BASE64_8X8, request_uuid="last")
        task_uid = httpx.post(gateway.url, json=body).json()["TaskUID"]
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(timeout=START_SECONDS) == 0
    lines = lines_of(gateway, keys)
    assert any(line["event"] == "listening" for line in lines)
    accepted = next(line for line in lines if line.get("request_uuid") == "last")
    assert (
        accepted.items() >= {"account": "anna", "action": "RemoveBackground", "ret_code": 0, "status": 200}.items()
    )
    assert accepted["task_uid"] == task_uid


def test_a_process_that_is_just_starting_hears_that_it_is_to_stop(installation: Installation) -> None:
    with installation.serving(program=("-c", _SLOW_TO_START), CUTGATE_PROCESSES="2") as gateway:
        gateway.process.terminate()
        # It would be killed after 30 s otherwise.
        assert gateway.process.wait(20) == 0
    assert "SIGKILL" not in gateway.log.read_text()


@pytest.mark.usefixtures("live")
def test_an_item_of_a_lost_worker_goes_back(installation: Installation) -> None:
    with connect(installation.redis_url) as client:
        ledger = Ledger(client, LedgerLimits(lease_seconds=0.5))
        spec, uid = CutoutSpec(model="another-lane"), new_task_uid()
        item = NewItem(source=source_key(uid, 0), spec=spec)
        ledger.tasks.create(NewTask(uid=uid, account="ada", origin="test", items=(item,)))
        assert ledger.claims.take([lane_of(spec)], "lost", new_token()) is not None

        def in_order() -> bool:
            task = ledger.tasks.get(uid, "ada")
            return task is not None and task.items[0].state is ItemState.QUEUED

        eventually(in_order)


def test_a_server_that_evicts_is_refused(tmp_path: Path) -> None:
    with redis_server("--maxmemory-policy", "volatile-lru") as redis_url:
        done = Installation(redis_url, tmp_path).call("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "noeviction" in done.stderr
