"""What only the Redis ledger has: its keys, its events, its connection."""

import re
import socket
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from cutgate.jobs import ledger
from cutgate.jobs.errors import LedgerUnavailable, TaskTooLarge
from cutgate.jobs.ledger import keys
from cutgate.jobs.ledger.database import named_parts, script_texts
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, Idempotency
from cutgate.jobs.redis_client import connect
from cutgate.jobs.upkeep.installation import Installation
from tests.fakes import MemoryBlobStore
from tests.jobs.build import Ledger, new_task, run_at_once
from tests.jobs.every_script import (
    go_through_every_errand,
    go_through_every_script,
    go_through_every_upload,
)
from tests.ledgers import lose_hints
from tests.servers.redis_server import redis_server
from tests.waiting import eventually


def names_left(ledger: Ledger) -> set[str]:
    """The names of all keys, without the prefix."""
    names = ledger.client.scan_iter(match=f"{ledger.key_prefix}*", count=1000)
    return {name.removeprefix(ledger.key_prefix) for name in names}


class TestKeys:
    def test_every_key_is_in_the_table_and_every_row_is_used(self, ledger: Ledger, client: Redis) -> None:
        go_through_every_script(ledger)
        Installation(ledger, MemoryBlobStore()).require()
        rows = re.findall(r"^\| `([a-z_]+)[^`]*` \| (\w+)", keys.__doc__ or "", re.MULTILINE)
        documented = {(kind, sort) for kind, sort in rows if sort != "channel"}
        used = {(name.split(":")[0], client.type(f"{ledger.key_prefix}{name}")) for name in names_left(ledger)}
        assert used == documented

    def test_nothing_but_the_record_is_left_of_an_ended_task(
        self, ledger: Ledger, client: Redis, key_prefix: str
    ) -> None:
        claims = ledger.claimed_items(item_count=2)
        lose_hints(ledger)
        for claim in claims:
            ledger.done(claim)
        records = {f"task:{claims[0].task}", f"item:{claims[0].task}:0", f"item:{claims[0].task}:1"}
        shortly = {"spent", "past_claims"}  # for a minute
        (usage,) = map(str, client.zrange(f"{key_prefix}usages", 0, -1))
        lasting = {"account:alice", "totals", "lanes", "usages", f"usage:{usage}"}
        assert names_left(ledger) - shortly == {*records, *lasting, "ended"}
        account = client.hgetall(f"{key_prefix}account:alice")
        assert account.keys() - {"open", "reserved", "used", "booked"} == {"pace", "pace_since_ms", "pace_at_ms"}
        assert [account[field] for field in ("open", "reserved", "used", "booked")] == ["0", "0", "0", "2"]
        assert client.hget(f"{key_prefix}totals", "open") == "0"

    def test_nothing_is_left_of_errands_and_uploads(self, ledger: Ledger) -> None:
        go_through_every_errand(ledger)
        go_through_every_upload(ledger)
        lose_hints(ledger)
        ledger.clock.advance(seconds=LedgerLimits().errand_lease_seconds + 1)
        ledger.next_errand()
        for uid in ledger.tasks.unfinished("alice"):
            ledger.tasks.terminate(uid, "alice")
        ledger.clock.advance(seconds=LedgerLimits().upload_retention_seconds + 1)
        for uid in ledger.expired():
            ledger.upkeep.forget([uid])
        ledger.upkeep.forget_spent(ledger.upkeep.spent())
        ledger.clock.advance(seconds=LedgerLimits().usage_retention_seconds + keys.USAGE_DAYS * 86_400)
        assert ledger.upkeep.forget_usage() > 0
        left = {name for name in names_left(ledger) if not name.startswith(("answer:", "places:"))}
        assert left == {"account:alice", "totals", "lanes"}

    def test_a_refusal_leaves_nothing(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_queue_cap=0)
        with pytest.raises(TaskTooLarge):
            ledger.submit(idempotency=Idempotency(key="k", content_digest="d"))
        assert names_left(ledger) == set()

    def test_what_is_remembered_for_repeats_expires(self, ledger: Ledger, client: Redis, key_prefix: str) -> None:
        ledger.submit(idempotency=Idempotency(key="k", content_digest="d"))
        ledger.accounts.grant("alice", 1)
        for kind in ("idempotency", "answer"):
            (name,) = client.scan_iter(match=f"{key_prefix}{kind}:*", count=1000)
            assert 0 < client.pttl(name) <= LedgerLimits().name_seconds * 1_000

    def test_two_accounts_never_share_an_idempotency_key(self) -> None:
        assert keys.idempotency_name("a", "b/c") != keys.idempotency_name("a/b", "c")
        assert len(keys.idempotency_name("a", "k" * 10_000)) < 100

    def test_all_keys_are_in_one_slot(self) -> None:
        """A server in cluster mode refuses a script that leaves its slot."""
        with redis_server("--cluster-enabled", "yes") as url, connect(url) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            eventually(lambda: client.get("ready") is None, despite=(ResponseError,))
            go_through_every_script(Ledger(client))


class TestTimes:
    def test_the_clock_is_the_servers(self, ledger: Ledger, client: Redis) -> None:
        stored = ledger.task(ledger.submit().uid)
        seconds, microseconds = client.time()
        assert stored.created_at_ms == pytest.approx(seconds * 1000 + microseconds / 1000, abs=5_000)


CALLS: tuple[Callable[[Ledger, Claim], object], ...] = (
    lambda ledger, claim: ledger.tasks.create(new_task()),
    lambda ledger, claim: ledger.done(claim),
    lambda ledger, claim: ledger.tasks.unfinished("alice"),
    lambda ledger, claim: ledger.upkeep.reap(),
    lambda ledger, claim: ledger.upkeep.count_uploads(),
    lambda ledger, claim: ledger.accounts.balance("alice"),
    lambda ledger, claim: ledger.accounts.usage(date.min, date.max),
    lambda ledger, claim: ledger.presence.alive(),
    lambda ledger, claim: ledger.server.ping(),
    lambda ledger, claim: ledger.server.memory(),
    lambda ledger, claim: ledger.server.clock_offset_seconds(),
    lambda ledger, claim: ledger.server.installation(),
    lambda ledger, claim: ledger.server.install("new"),
)
"""Each way to the server that there is: scripts, and commands."""


class TestServerAway:
    def test_every_call_says_so(self, ledger: Ledger) -> None:
        claim = ledger.claimed()
        with connect("redis://:p4ssw0rd@127.0.0.1:1/0", retries=0) as client:
            away = Ledger(client)
            for call in CALLS:
                with pytest.raises(LedgerUnavailable) as error:
                    call(away, claim)
                assert "p4ssw0rd" not in str(error.value)

    def test_a_server_that_does_not_answer(self, hung_url: str) -> None:
        with (
            connect(hung_url, connect_timeout_seconds=0.2, socket_timeout_seconds=0.2) as client,
            pytest.raises(LedgerUnavailable),
        ):
            Ledger(client).server.ping()

    def test_a_wrong_password(self) -> None:
        with redis_server(password="right") as url:
            with connect(url) as client:
                Ledger(client).server.ping()
            with connect(url.replace("right", "wr0ng")) as client, pytest.raises(LedgerUnavailable) as error:
                Ledger(client).server.ping()
        assert "wr0ng" not in str(error.value)
        assert "wr0ng" not in repr(error.value.__cause__)


def test_every_thread_of_a_gateway_gets_a_connection(client: Redis, key_prefix: str) -> None:
    waits = run_at_once(150, lambda _: client.blpop([f"{key_prefix}never"], timeout=0.3))
    assert waits == [None] * 150


@pytest.fixture
def hung_url() -> Iterator[str]:
    """A listener that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("url", ["http://p4ss@host", "p4ss", "", "redis://:p4/ss@host:6379/0"])
def test_a_bad_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL of a Redis server") as error:
        connect(url)
    assert "p4" not in str(error.value)
    assert error.value.__suppress_context__


@pytest.mark.parametrize("url", ["redis://h:1/2", "rediss://:pw@h:1/2", "unix:///tmp/r.sock?db=2"])
def test_every_scheme_is_known(url: str) -> None:
    with connect(url) as client:
        assert client.get_connection_kwargs()["db"] == 2


# The scripts' texts: each names the shared parts that it uses, no more and no fewer.


LUA = Path(ledger.__file__).parent / "lua"
PARTS = {path.stem: path.read_text() for path in (LUA / "shared").iterdir() if path.stem != "start"}


def code_of(text: str) -> str:
    """A script without its comments and texts."""
    return re.sub(r"'[^']*'|--[^\n]*", "", text)


def defined_in(text: str) -> set[str]:
    """What a part gives to those that name it."""
    listed = re.findall(r"^local (?:function )?([a-z_, ]+)", code_of(text), re.MULTILINE)
    return {name.strip() for names in listed for name in names.split(",")}


def used_by(text: str) -> set[str]:
    """The parts of which a script or a part uses something."""
    names = set(re.findall(r"(?<![.\w])[a-z_]+", code_of(text))) - defined_in(text)
    return {part for part, definition in PARTS.items() if defined_in(definition) & names}


def wrongly_named(texts: dict[str, str]) -> dict[str, set[str]]:
    """By script, the parts that it lacks or names for nothing."""
    wrong = {name: used_by(text) ^ set(named_parts(text)) for name, text in texts.items()}
    return {name: parts for name, parts in wrong.items() if parts}


def test_each_names_exactly_the_parts_that_it_uses() -> None:
    scripts = {path.relative_to(LUA).as_posix(): path.read_text() for path in LUA.glob("*/*.lua")}
    assert len(scripts) == len(script_texts()) + len(PARTS) + 1, "two scripts of one name"
    assert wrongly_named(scripts) == {}
    claim = scripts["items/claim.lua"]
    assert wrongly_named(
        {"claim": claim.replace("-- needs: claims, hints, queue, ", "-- needs: claims, hints, pace, ")}
    ) == {"claim": {"pace", "queue"}}


def test_a_part_stands_once_and_behind_what_it_needs() -> None:
    text = script_texts()["reap"]
    places = [
        text.index(f"local function {name}(")
        for name in ("key", "next_turn", "enter_queue", "requeue", "fail_item")
    ]
    assert places == sorted(places)
    assert text.count("local function next_turn(") == 1
    assert "local function remembered(" not in text
