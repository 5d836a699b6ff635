"""`python -m cutgate.gateway status` and `tasks`, as an operator types them, over a ledger with stuck work."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cutgate.jobs.answers import Balance, WorkerPresence
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import BlobMissing, SourceUndecodable, WorkerLost
from cutgate.jobs.record import Claim, ErrorFacts, ItemState, Phase
from cutgate.jobs.redis_client import connect
from tests.gateway.installation import Installation
from tests.jobs.build import LANE, Ledger
from tests.servers.redis_server import redis_server

GONE = BlobMissing("the picture is gone").facts()
LOST = WorkerLost("the picture's worker died in each of 3 attempts").facts()
USED = {"done": 0, "failed": 4, "credits": 0}
DAMAGED = SourceUndecodable("the picture is damaged").facts()


@dataclass(frozen=True)
class Operated:
    """An installation, and the ledger that it has."""

    installation: Installation
    ledger: Ledger
    blobs: FileBlobStore

    def call(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        done = self.installation.call(*arguments)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.installation.call(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def failed(self, error: ErrorFacts = GONE, **facts: Any) -> Claim:
        claim = self.ledger.claimed(**facts)
        self.blobs.put(claim.source, b"picture")
        assert self.ledger.claims.fail(claim, error)
        time.sleep(0.002)  # lists are ordered by the millisecond
        return claim


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def operated(redis_url: str, tmp_path: Path) -> Iterator[Operated]:
    """With the accounts alice, who has 10 credits, and bob, who is not metered."""
    installation = Installation(redis_url, tmp_path / "blobs")
    with connect(redis_url) as client:
        client.flushall()
        installation.keys("add", "--name", "alice", "--credits", "10", "--public-key", "p" * 20, given="s" * 32)
        installation.keys("add", "--name", "bob")
        yield Operated(installation, Ledger(client), FileBlobStore(installation.blob_dir))


class TestStatus:
    def test_what_waits_runs_and_failed(self, operated: Operated) -> None:
        operated.failed()
        operated.failed(LOST)
        last = operated.failed()
        operated.ledger.ended_task()
        claim = operated.ledger.claimed()
        operated.ledger.claims.renew(claim, Phase.COMPUTING)
        operated.ledger.submit(item_count=2)
        worker = WorkerPresence(
            owner="w-1", lane=LANE, model="m", engine="e", provider="p", dtype="fp32", threads=1
        )
        operated.ledger.presence.announce(worker, ttl_seconds=60)
        told = operated.json("status")
        [picture] = told["worker_list"][1]["pictures"]
        today = datetime.now(UTC).date()
        assert told == {
            "at": told["at"],
            "waiting": 2,
            "running": 1,
            "workers": 1,
            "storage": "works",
            "to_be_deleted": 0,
            "errands_due": 0,
            "ledger_memory_percent": None,
            "last_hour": {"ended": 3, "failed": 3},
            "alerts": [],
            "lanes": [
                {"lane": LANE, "waiting": 2, "oldest_seconds": told["lanes"][0]["oldest_seconds"], "workers": 1}
                | {"reading": 0, "computing": 1, "writing": 0}
            ],
            "worker_list": [
                {"worker": "w-1", "alive": True, "lanes": [LANE], "engines": ["e, p, fp32"], "pictures": []},
                {"worker": claim.owner, "alive": False, "lanes": [], "engines": [], "pictures": [picture]},
            ],
            "faults": [
                {"kind": "blob_missing", "pictures": 2, "last_task": last.task, "account": "alice"}
                | {"message": GONE.message},
                told["faults"][1],
            ],
            "usage": {
                "from": (today - timedelta(days=6)).isoformat(),
                "to": today.isoformat(),
                **USED,
                "accounts_in_all": 1,
                "accounts": [{"account": "alice", **USED, "days": [{"day": today.isoformat(), **USED}]}],
            },
        }
        assert {**picture, "seconds": 0} == {
            "task": claim.task,
            "picture": 0,
            "account": "alice",
            "lane": LANE,
            "phase": "computing",
            "attempt": 1,
            "seconds": 0,
        }
        assert told["faults"][1]["kind"] == "worker_lost"
        shown = operated.call("status")
        assert "storage: works" in shown
        assert last.task in shown
        assert re.search(rf"{claim.task} computing \d+ s", shown)
        assert "3, of which 3 failed" in shown

    def test_of_an_empty_installation(self, operated: Operated) -> None:
        assert (operated.json("status")["lanes"], operated.json("status")["faults"]) == ([], [])
        assert "Lanes" not in operated.call("status")

    def test_what_is_wrong_with_the_storage(self, operated: Operated) -> None:
        operated.blobs.install("another", replace=True)
        assert "storage adopt" in operated.json("status")["storage"]
        broken = operated.installation.call("status", CUTGATE_BLOB_DIR="/dev/null/blobs")
        assert "storage: away: " in broken.stdout

    def test_without_a_ledger(self, operated: Operated) -> None:
        done = operated.installation.call("status", CUTGATE_REDIS_URL="redis://127.0.0.1:1")
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")


class TestList:
    def test_its_filters(self, operated: Operated) -> None:
        gone, lost = operated.failed(), operated.failed(LOST, account="bob")
        done, running = operated.ledger.claimed(), operated.ledger.claimed(account="bob")
        assert operated.ledger.done(done)
        waiting = operated.ledger.submit()

        def listed(*options: str) -> list[str]:
            return [row["task"] for row in operated.json("tasks", "list", *options)]

        assert set(listed()) == {gone.task, lost.task, done.task, running.task, waiting.uid}
        assert set(listed()[:2]) == {running.task, waiting.uid}, "what is open comes first"
        assert listed("--oldest-first", "--limit", "1") == [gone.task]
        assert listed("--state", "error") == [lost.task, gone.task]
        assert listed("--state", "finished") == [done.task]
        assert (listed("--state", "queuing"), listed("--state", "running")) == ([waiting.uid], [running.task])
        assert listed("--kind", "worker_lost") == [lost.task]
        assert listed("--account", "bob") == [running.task, lost.task]
        assert set(listed("--account", "p" * 20)) == {gone.task, done.task, waiting.uid}
        assert (listed("--since", "0s"), len(listed("--since", "1h"))) == ([], 5)
        assert len(listed("--since", "2020-01-01T00:00")) == 5
        [row] = operated.json("tasks", "list", "--kind", "blob_missing")
        assert row["ended_at"] is not None
        assert (
            row.items() >= {"account": "alice", "state": "error", "kinds": ["blob_missing"], "failed": 1}.items()
        )
        assert "worker_lost" in operated.call("tasks", "list")

    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (("--account", "nobody"), 1, "there is no account 'nobody'"),
            (("--since", "yesterday"), 2, "use an age such as 30m"),
            (("--state", "lost"), 2, "'queuing', 'running', 'finished', 'error'"),
        ],
    )
    def test_what_is_refused(self, operated: Operated, options: tuple[str, ...], code: int, message: str) -> None:
        assert message in operated.call("tasks", "list", *options, code=code)


class TestShow:
    def test_the_history_of_its_pictures(self, operated: Operated) -> None:
        claim = operated.ledger.claimed(price=2)
        assert operated.ledger.claims.give_back(claim, behind=True, why="blob_store_unavailable")
        again = operated.ledger.next_claim(owner="worker-2")
        operated.ledger.claims.renew(again, Phase.WRITING)
        [item] = operated.json("tasks", "show", claim.task)["items"]
        assert (item["state"], item["owner"], item["phase"]) == ("running", "worker-2", "writing")
        assert operated.ledger.claims.fail(again, GONE)
        told = operated.json("tasks", "show", claim.task)
        assert told.items() >= {"task": claim.task, "account": "alice", "origin": "test", "state": "error"}.items()
        [item] = told["items"]
        assert item["error"] == "blob_missing: the picture is gone"
        assert (item["source"], item["result"], item["price"]) == (str(claim.source), None, 2)
        history = [(hold["owner"], hold["phase"], hold["end"]) for hold in item["history"]]
        assert history == [
            ("worker-1", "reading", "blob_store_unavailable"),
            ("worker-2", "writing", "blob_missing"),
        ]
        shown = operated.call("tasks", "show", claim.task)
        assert "error: blob_missing: the picture is gone" in shown
        assert "blob_store_unavailable" in shown

    @pytest.mark.parametrize("uid", ["x", "0" * 20])
    def test_what_is_not_there(self, operated: Operated, uid: str) -> None:
        assert "there is no such task" in operated.call("tasks", "show", uid, code=1)


class TestRetry:
    def test_named_ones_are_charged_once(self, operated: Operated) -> None:
        claim = operated.failed(price=4)
        assert operated.call("tasks", "retry", claim.task) == f"{claim.task}: 1 picture waits again\n"
        assert operated.ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=4)
        assert operated.ledger.done(operated.ledger.next_claim())
        assert operated.ledger.accounts.balance("alice") == Balance(granted=10, used=4, reserved=0)
        [outcome] = operated.json("tasks", "retry", claim.task, code=1)
        assert not outcome["ok"]
        assert outcome["outcome"] == "nothing to retry: its pictures have not failed"

    def test_those_that_are_found_once_it_is_confirmed(self, operated: Operated) -> None:
        gone, lost = operated.failed(), operated.failed(LOST)
        others = [operated.failed(account="bob"), operated.failed(DAMAGED)]
        options = ("tasks", "retry", "--account", "alice", "--since", "1h")
        assert "2 tasks would be retried: add --yes" in operated.call(*options)
        assert operated.ledger.tasks.unfinished("alice") == ()
        assert [row["task"] for row in operated.json(*options, "--yes")] == [gone.task, lost.task]
        assert operated.ledger.tasks.unfinished("alice") == (gone.task, lost.task)
        assert all(operated.ledger.item(other).state is ItemState.FAILED for other in others)
        assert operated.json("tasks", "retry", "--kind", "blob_missing", "--yes")[0]["task"] == others[0].task

    def test_what_cannot_be_does_not_keep_the_others_back(self, operated: Operated) -> None:
        damaged, dear, swept, good = (
            operated.failed(DAMAGED),
            operated.failed(price=9),
            operated.failed(),
            operated.failed(),
        )
        operated.blobs.delete(swept.source)
        operated.ledger.submit(price=5)
        uids = (damaged.task, dear.task, swept.task, good.task)
        told = {row["task"]: row["outcome"] for row in operated.json("tasks", "retry", *uids, code=1)}
        assert "failed with source_undecodable" in told[damaged.task]
        assert "the price is 9 credits, 5 are available: grant some with `keys credits`" in told[dear.task]
        assert "not in the storage any more" in told[swept.task]
        assert told[good.task] == "1 picture waits again"

    @pytest.mark.parametrize("options", [(), ("x", "--kind", "blob_missing"), ("--kind", "source_undecodable")])
    def test_misuse(self, operated: Operated, options: tuple[str, ...]) -> None:
        assert "Usage: " in operated.call("tasks", "retry", *options, code=2)


def test_what_is_cancelled_has_ended(operated: Operated) -> None:
    waiting = operated.ledger.submit(price=3)
    assert operated.call("tasks", "cancel", waiting.uid) == f"{waiting.uid}: cancelled\n"
    assert operated.ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
    outcomes = operated.json("tasks", "cancel", waiting.uid, "x", code=1)
    assert [outcome["outcome"] for outcome in outcomes] == [
        "it has ended already: error",
        "there is no such task: `tasks list` has those that there are",
    ]
