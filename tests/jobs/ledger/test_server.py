"""Which servers may hold the ledger, and what is said of those that may not."""

from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from cutgate.jobs.errors import LedgerBroken, LedgerUnavailable
from cutgate.jobs.ledger.client import Scripts, connect, ledger_errors, no_offset
from cutgate.jobs.ledger.server import (
    ClusteredServer,
    EvictingServer,
    ServerFacts,
    ServerTooOld,
)
from cutgate.jobs.upkeep.background import watch_server
from tests.jobs.build import Ledger
from tests.servers.ports import free_port
from tests.servers.redis_server import redis_server, restart


class Saying(Redis):
    """A server that says of itself what a test wants."""

    def __init__(self, **said: object) -> None:
        self.said = said

    def info(self, *_: Any, **__: Any) -> Any:
        return {"maxmemory_policy": "noeviction", "aof_enabled": 1} | self.said

    def __del__(self) -> None:
        """There is nothing to close."""


def test_a_server_that_keeps_everything_on_disk_is_taken_without_a_word(own_url: str) -> None:
    with connect(own_url) as client, capture_logs() as logs:
        Ledger(client).server.require_fit()
    assert logs == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_one_that_evicts_is_refused_with_a_way_out(binary: Path, policy: str) -> None:
    with (
        redis_server("--maxmemory-policy", policy, binary=binary) as url,
        connect(url) as client,
        pytest.raises(EvictingServer, match=f"is {policy}.*noeviction") as raised,
    ):
        ServerFacts.of(client).require_fit()
    assert raised.value.policy == policy


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14"),
        ({"redis_version": "7.2.4", "valkey_version": "7.1.0"}, "Valkey 7.1.0"),
    ],
)
def test_an_older_one_is_refused_and_the_good_ones_are_named(said: dict[str, object], name: str) -> None:
    with pytest.raises(ServerTooOld, match=f"{name} is too old.*Redis 7.0 or newer, or Valkey 7.2 or newer"):
        ServerFacts.of(Saying(**said)).require_fit()


@pytest.mark.parametrize(
    "said", [{"redis_version": "7.0.0"}, {"redis_version": "10.1"}, {"valkey_version": "7.2.0"}]
)
def test_newer_ones_are_taken(said: dict[str, object]) -> None:
    ServerFacts.of(Saying(**said)).require_fit()


def test_a_node_of_a_cluster_is_refused(binary: Path) -> None:
    with (
        redis_server("--cluster-enabled", "yes", "--cluster-port", str(free_port()), binary=binary) as url,
        connect(url) as client,
        pytest.raises(ClusteredServer, match="cluster"),
    ):
        ServerFacts.of(client).require_fit()


def test_a_missing_append_only_file_is_said_loudly(redis_url: str) -> None:
    with connect(redis_url) as client, capture_logs() as logs:
        Ledger(client).server.require_fit()
    [said] = logs
    assert (said["event"], said["log_level"]) == ("ledger_not_on_disk", "warning")
    assert "appendonly yes" in said["remedy"]


def test_a_server_that_does_not_say_is_accepted_with_one_log_line(binary: Path) -> None:
    with redis_server(binary=binary) as url, connect(url) as client, capture_logs() as logs:
        client.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
        ledger = Ledger(client)
        watch_server(ledger)
        watch_server(ledger)
    assert [entry["event"] for entry in logs] == ["eviction_policy_unknown"]


def test_an_absent_server_is_not_an_answer() -> None:
    with connect("unix:///nowhere.sock", retries=0) as client, pytest.raises(LedgerUnavailable):
        ServerFacts.of(client).require_fit()


def test_a_server_is_checked_again_once_it_is_another_one(own_url: str) -> None:
    with connect(own_url) as client, capture_logs() as logs:
        ledger = Ledger(client)
        watch_server(ledger)
        client.config_set("maxmemory-policy", "allkeys-lru")
        watch_server(ledger)
        assert logs == []  # it is the same one still
        restart(own_url)
        client.config_set("maxmemory-policy", "allkeys-lru")
        watch_server(ledger)
        watch_server(ledger)
    [said] = logs
    assert (said["event"], said["log_level"], "noeviction" in said["reason"]) == (
        "ledger_server_unfit",
        "error",
        True,
    )


def test_looking_again_at_the_same_server_asks_for_no_more_than_which_it_is(binary: Path) -> None:
    with redis_server(binary=binary) as url, connect(url) as client:
        ledger = Ledger(client)
        ledger.server.require_fit()
        with client.monitor() as monitor:
            ledger.server.require_fit()
            client.ping()
            said = takewhile(lambda command: command != "PING", (line["command"] for line in monitor.listen()))
            asked = [command for command in said if command.startswith("INFO")]
    assert asked == ["INFO server"]


def test_a_script_that_fails_is_a_fault_and_not_a_server_that_is_away(client: Redis, key_prefix: str) -> None:
    client.set(f"{key_prefix}totals", "no hash")
    with pytest.raises(LedgerBroken, match=r"FIGURES failed.*WRONGTYPE"):
        Scripts(client, key_prefix, no_offset).run("figures")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("ACL", "SETUSER", "default", "-set"), "NoPermissionError"),
        (("REPLICAOF", "127.0.0.1", "1"), "ReadOnlyError"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), "NOREPLICAS"),
    ],
)
def test_a_refusal_is_named(binary: Path, command: tuple[str, ...], word: str) -> None:
    with redis_server(binary=binary) as url, connect(url) as client:
        client.execute_command(*command)
        with pytest.raises(LedgerUnavailable, match=f"refuses to work: {word}"), ledger_errors():
            client.set("a", "b")


def test_a_script_that_the_server_has_forgotten_is_no_fault(client: Redis) -> None:
    with pytest.raises(LedgerUnavailable, match="refuses to work: NoScriptError"), ledger_errors():
        client.evalsha("0" * 40, 0)
