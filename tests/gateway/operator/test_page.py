"""The operator's page at the port of metrics: who may read it, and that it says what the commands say."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from cutgate.gateway.operator import views
from cutgate.gateway.operator.views import OperatorPages
from cutgate.jobs.errors import LedgerUnavailable
from tests.fakes import MemoryBlobStore, failing
from tests.gateway.harness import make_settings
from tests.gateway.installation import Installation
from tests.gateway.operator.page import BEARER, KEY, Live, live_page
from tests.ledgers import FreshLedger
from tests.servers.ports import free_port
from tests.waiting import eventually


@pytest.fixture(scope="module")
def live(installation: Installation) -> Iterator[Live]:
    with live_page(installation) as live:
        yield live


@pytest.fixture
def busy(live: Live) -> Live:
    live.make_busy()
    return live


class TestAccess:
    @pytest.mark.parametrize("path", ["/data", "/tasks/d5ari00q5cu0v880200g"])
    @pytest.mark.parametrize(
        "sent", ["", "Bearer", "Bearer wrong", f"Bearer {KEY}0", f"Basic {KEY}", KEY, "Bearer \xff"]
    )
    def test_without_the_key_nothing_is_told(self, live: Live, path: str, sent: str) -> None:
        headers = {b"Authorization": sent.encode("latin-1")}
        answer = httpx.get(f"{live.url}/operator{path}", headers=headers, trust_env=False)
        assert (answer.status_code, set(answer.json())) == (401, {"error"})
        assert "CUTGATE_OPERATOR_KEY" in answer.json()["error"]

    def test_the_page_itself_holds_nothing_and_lets_nothing_in(self, live: Live) -> None:
        for path in ("", "/operator.js", "/parts.js", "/operator.css", "/look/base.css", "/icon.svg"):
            answer = live.get(path)
            assert answer.status_code == 200, path
            assert KEY not in answer.text
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy

    def test_it_is_at_no_other_port_whatever_the_headers_say(self, live: Live) -> None:
        host = live.url.removeprefix("http://")
        for headers in ({}, {"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Port": host.partition(":")[2]}):
            answer = httpx.get(f"{live.gateway.url}/operator/data", headers=BEARER | headers, trust_env=False)
            assert answer.status_code == 404

    def test_other_paths_and_methods(self, live: Live) -> None:
        assert live.get("/none", **BEARER).status_code == 404
        assert httpx.post(f"{live.url}/operator/data", headers=BEARER, trust_env=False).status_code == 405
        assert httpx.get(f"{live.url}/metrics", trust_env=False).text.startswith("#")
        assert "missing" in httpx.get(f"{live.url}/readyz", trust_env=False).json()

    def test_without_a_key_there_is_no_page(self, installation: Installation) -> None:
        port = free_port()
        with installation.serving(CUTGATE_METRICS_PORT=str(port)):
            answer = httpx.get(f"http://127.0.0.1:{port}/operator", trust_env=False)
        assert "Cutgate Operator" not in answer.text

    @pytest.mark.parametrize(
        ("given", "said"),
        [({"operator_key": "short", "metrics_port": 1}, "32 characters"), ({"operator_key": KEY}, "metrics_port")],
    )
    def test_settings_that_are_refused(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError, match=said) as caught:
            make_settings(**given)
        assert KEY not in str(caught.value)
        assert make_settings(operator_key="").operator_key is None


def lasting(told: dict[str, Any]) -> dict[str, Any]:
    """What does not change from one second to the next."""
    told["at"] = None
    for lane in told["lanes"]:
        lane["oldest_seconds"] = None
    for worker in told["worker_list"]:
        for picture in worker["pictures"]:
            picture["seconds"] = None
    return told


class TestData:
    def test_it_is_what_the_command_prints(self, busy: Live) -> None:
        printed = lasting(json.loads(busy.installation.call("status", "--json").stdout))
        eventually(lambda: lasting(busy.get("/data", **BEARER).json()) == printed)  # it keeps what it saw
        shown = busy.get("/data", **BEARER).json()
        assert shown["faults"][0]["kind"] == "blob_missing"
        assert [len(worker["pictures"]) for worker in shown["worker_list"] if worker["pictures"]] != []

    def test_a_task_is_what_the_command_prints(self, busy: Live) -> None:
        for task in busy.ledger.tasks.stored("failed"):
            printed = json.loads(busy.installation.call("tasks", "show", task.uid, "--json").stdout)
            answer = busy.get(f"/tasks/{task.uid}", **BEARER)
            assert answer.json() == printed
            assert answer.json()["items"][0]["history"][0]["end"] == "blob_missing"
            assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("uid", ["d5ari00q5cu0v880200g", "nonsense", "%00", "<b>"])
    def test_a_task_that_is_not_there(self, live: Live, uid: str) -> None:
        answer = live.get(f"/tasks/{uid}", **BEARER)
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "there is no such task, or its results have expired"},
        )

    def test_no_address_and_no_secret_of_a_caller_is_told(self, busy: Live) -> None:
        paths = ["/data", *(f"/tasks/{task.uid}" for task in busy.ledger.tasks.stored("open"))]
        told = [busy.get(path, **BEARER).text for path in paths]
        assert len(told) >= 3
        for text in told:
            assert "://" not in text
            assert "secret" not in text
            assert KEY not in text

    def test_many_pages_cost_one_look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[object] = []

        def look(*parts: object, **_: object) -> dict[str, int]:
            looks.append(parts)
            return {"number": len(looks)}

        monkeypatch.setattr(views, "overview", look)
        client = OperatorPages(FreshLedger(), MemoryBlobStore(), SecretStr(KEY)).app().test_client()
        said = [client.get("/operator/data", headers=BEARER).get_json() for _ in range(5)]
        assert (said, len(looks)) == ([{"number": 1}] * 5, 1)
        monkeypatch.setattr(views, "KEEP_SECONDS", 0)
        assert client.get("/operator/data", headers=BEARER).get_json() == {"number": 2}

    def test_without_a_ledger_it_says_so_with_advice(self) -> None:
        away = failing(FreshLedger(), figures=LedgerUnavailable("restarting"))
        answer = OperatorPages(away, MemoryBlobStore(), SecretStr(KEY)).app().test_client()
        said = answer.get("/operator/data", headers=BEARER)
        assert (said.status_code, said.get_json()["error"]) == (503, "restarting")
        assert [alert["name"] for alert in said.get_json()["alerts"]] == ["CutgateLedgerDown"]
