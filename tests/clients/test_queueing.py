"""Tests of official clients while their jobs queue: for several polls, or behind other jobs.

The service runs in this process, so that polls, and not seconds, say when a worker begins.
"""

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cutgate import Client
from cutgate.gateway.accounts.credentials import Credentials
from tests.clients.conftest import told_against
from tests.clients.test_clients import done
from tests.clients.test_removebg import assert_cut_out, told_by_js, told_by_python
from tests.gateway.on_loop import served
from tests.gateway.runware.service import Service, make_service, removal, repeating

POLLS = {"runware": 2, "sdk_websocket": 5, "sdk_rest": 5, "sdk_js": 4}
"""How often each client polls before its jobs end. At their own pace that takes 6 to 9 seconds; `runware` sleeps
half a minute after its first poll."""
JOBS = 3


@pytest.fixture
def service() -> Service:
    return make_service(runware_sync_seconds=60, removebg_sync_seconds=300)


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with served(service.app) as address:
        yield f"http://{address}"


@pytest.fixture
def polls(service: Service, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each task was polled."""
    look, seen = service.store.tasks.poll_named, Counter[str]()

    def counted(name: str, *args: Any, **named: Any) -> Any:
        seen[name] += 1
        return look(name, *args, **named)

    monkeypatch.setattr(service.store.tasks, "poll_named", counted)
    return seen


@pytest.mark.parametrize("client", POLLS)
def test_polls_bring_results(service: Service, url: str, polls: Counter[str], picture: Path, client: str) -> None:
    def work() -> bool:
        is_time = len(polls) == JOBS and min(polls.values()) >= POLLS[client]
        return is_time and service.work_once()

    with repeating(work):
        jobs = told_against(client, url, service.api_key, picture, "queued")["queued"]
    for job in jobs:
        # If polls overlapped, an earlier one would take this answer, and the client would wait until its timeout.
        assert done(job, "again")["imageUUID"] == done(job, "first")["imageUUID"]
        assert service.download(job["first"]["imageURL"]).status_code == 200
    assert len({job["first"]["imageUUID"] for job in jobs}) == JOBS


def picpik(service: Service, url: str, picture: Path, _: Path) -> str:
    keys = Credentials(service.accounts).add_pair("picpik")
    with Client(url, keys.public_key, keys.private_key) as client:
        return base64.b64encode(client.remove_background(picture).result()).decode()


def removebg_python(service: Service, url: str, picture: Path, folder: Path) -> str:
    return str(told_by_python(url, service.api_key, picture, folder)["file"]["file"])


def removebg_js(service: Service, url: str, picture: Path, _: Path) -> str:
    return str(told_by_js(url, service.api_key, picture)["sample"]["base64img"])


@pytest.mark.parametrize("call", [picpik, removebg_python, removebg_js])
def test_a_call_behind_others_gets_its_own_picture(
    service: Service, url: str, picture: Path, tmp_path: Path, call: Callable[[Service, str, Path, Path], str]
) -> None:
    service.answer(*(removal(deliveryMethod="async") for _ in range(JOBS)))
    is_behind = threading.Event()

    def work() -> bool:
        if service.store.waiting(service.lane) > JOBS:
            is_behind.set()
        return is_behind.is_set() and service.work_once()

    with repeating(work):
        assert_cut_out(call(service, url, picture, tmp_path))
