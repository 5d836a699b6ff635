"""The users of the ledger's server: what each may and may not do, on every server that is at hand."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kombu.entity import Queue
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from cutgate.gateway.accounts.tables import ACCOUNTS, CREDENTIALS
from cutgate.jobs.hints.queue import queue_name
from cutgate.jobs.ledger.database import Json, Scripts, script_texts
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.redis_client import connect
from cutgate.jobs.spec import CutoutSpec, Lane
from cutgate.local.redis_server import access_control_list as with_passwords
from docs.manual.server_users import FILES, USERS, access_control_list
from tests.broker import application
from tests.fakes import ManualClock
from tests.jobs.build import Ledger, new_task
from tests.jobs.every_script import go_through_every_script
from tests.servers.redis_server import redis_server

SECRETS = (CREDENTIALS.name,)
TABLES = (*SECRETS, ACCOUNTS.name)
CALLERS_OWN = (f"{KEY_PREFIX}rate/x", f"{KEY_PREFIX}session:x", "somebody-elses")
ADMINISTRATIVE = (
    *("ACL LIST", "CONFIG GET *", "KEYS *", "FLUSHALL", "FLUSHDB", "DEBUG JMAP", "SHUTDOWN NOSAVE", "MONITOR"),
    *(
        "SCRIPT FLUSH",
        "SCRIPT KILL",
        "FUNCTION FLUSH",
        "SAVE",
        "REPLICAOF NO ONE",
        "CLIENT KILL ID 1",
        "SWAPDB 0 1",
    ),
    *("MIGRATE 127.0.0.1 1 x 0 1", "MODULE LIST", "CLIENT LIST", "CLIENT PAUSE 1", "ROLE"),
    # Those who track are told every key that changes, with the accounts in their names.
    *("CLIENT TRACKING on BCAST", "CLIENT TRACKING on"),
)
BEYOND_A_PART = ("SCAN 0", "RANDOMKEY", "DUMP {cutgate}:claims", "RENAME {cutgate}:credentials {cutgate}:claims")


@dataclass(frozen=True)
class Guarded:
    """A server with these users, and clients of it."""

    url: str
    undo: ExitStack

    def url_of(self, user: str) -> str:
        login = "" if user == "default" else f"{user}:password-of-{user}@"
        return self.url.replace("unix://", f"unix://{login}")

    def connect(self, user: str) -> Redis:
        client = connect(self.url_of(user))
        self.undo.callback(client.close)
        return client

    def refusals(self) -> list[str]:
        """What the server has refused anybody since the last call, in commands and in scripts."""
        with connect(self.url_of("operator")) as client:
            found: Any = client.acl_log()
            client.acl_log_reset()
        return [f"{row['username']}: {row['reason']} {row['object']} in {row['context']}" for row in found]

    def begin(self) -> None:
        """Leave nothing on the server but a record in each table of accounts, and no refusal to tell of."""
        self.connect("operator").flushall()
        for table in TABLES:
            self.connect("gateway").hset(f"{KEY_PREFIX}{table}", "name", "record")
        self.refusals()


@pytest.fixture(scope="module")
def guarded(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server with a record in each table of accounts."""
    users = tmp_path_factory.mktemp("users") / "users.acl"
    users.write_text(with_passwords(lambda user: f"password-of-{user}"))
    arguments = ("--aclfile", str(users), "--enable-debug-command", "yes")
    with redis_server(*arguments, binary=binary) as url, ExitStack() as undo:
        guarded = Guarded(url, undo)
        guarded.begin()
        yield guarded


def is_refused(client: Redis, *words: str) -> bool:
    try:
        client.execute_command(*words)  # type: ignore[no-untyped-call]
    except NoPermissionError:
        return True
    return False


@pytest.mark.parametrize("user", USERS)
def test_a_part_reads_no_key_of_an_account_not_by_a_script_either(guarded: Guarded, user: str) -> None:
    client = guarded.connect(user)
    for table in SECRETS:
        name = f"{KEY_PREFIX}{table}"
        assert is_refused(client, "HGET", name, "name")
        with pytest.raises(ResponseError, match=r"ACL|can't"):
            client.eval(f"return redis.call('HGET', '{name}', 'name')", 1, KEY_PREFIX)
    for key in CALLERS_OWN:
        assert is_refused(client, "GET", key)


def test_the_courier_alone_reads_accounts_and_writes_none(guarded: Guarded) -> None:
    name = f"{KEY_PREFIX}{ACCOUNTS.name}"
    assert is_refused(guarded.connect("worker"), "HGET", name, "name")
    courier = guarded.connect("courier")
    assert courier.hget(name, "name") == "record"
    assert is_refused(courier, "HSET", name, "name", "forged")
    assert is_refused(courier, "DEL", name)


@pytest.mark.parametrize("user", [*USERS, "gateway"])
def test_no_part_may_administer_the_server(guarded: Guarded, user: str) -> None:
    client = guarded.connect(user)
    assert not [command for command in ADMINISTRATIVE if not is_refused(client, *command.split())]


@pytest.mark.parametrize("user", USERS)
def test_a_part_cannot_look_around(guarded: Guarded, user: str) -> None:
    client = guarded.connect(user)
    assert not [command for command in BEYOND_A_PART if not is_refused(client, *command.split())]


def test_without_a_password_a_server_answers_health_checks_and_nothing_else(guarded: Guarded) -> None:
    assert guarded.connect("default").ping()
    for words in (("GET", "x"), ("INFO",), ("EVALSHA", "0" * 40, "0"), ("PUBLISH", "x", "y"), ("ACL", "WHOAMI")):
        assert is_refused(guarded.connect("default"), *words)


def test_the_operator_may_do_everything(guarded: Guarded) -> None:
    assert guarded.connect("operator").config_get("maxmemory-policy")
    assert guarded.connect("operator").acl_whoami() == "operator"


@pytest.mark.parametrize("user", USERS)
def test_every_script_of_a_part_runs_as_its_user(
    guarded: Guarded, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, run = ManualClock(), Scripts.run
    as_user = Scripts(guarded.connect(user), KEY_PREFIX, clock.offset_ms)
    ran = set()

    def run_as_user(scripts: Scripts, name: str, **arguments: Json) -> Any:
        if name not in USERS[user].scripts:
            return run(scripts, name, **arguments)
        ran.add(name)
        return run(as_user, name, **arguments)

    monkeypatch.setattr(Scripts, "run", run_as_user)
    guarded.begin()
    gateway = guarded.connect("gateway")
    tables = {table: gateway.hgetall(f"{KEY_PREFIX}{table}") for table in TABLES}
    ledger = Ledger(gateway, clock=clock)
    go_through_every_script(ledger)
    expire_everything(ledger)
    assert ran == set(USERS[user].scripts)
    assert not guarded.refusals()
    for table, records in tables.items():
        assert gateway.hgetall(f"{KEY_PREFIX}{table}") == records


def expire_everything(ledger: Ledger) -> None:
    """What upkeep does with leases that lapse, tasks that wait too long, and retention that is over."""
    ledger.clock.advance(seconds=ledger.limits.queue_timeout_seconds + 1)
    assert ledger.upkeep.reap().items
    ledger.clock.advance(seconds=ledger.limits.retention_seconds + ledger.limits.upload_retention_seconds)
    for uid in ledger.expired():
        ledger.upkeep.forget([uid])


def test_hints_are_taken_by_workers(guarded: Guarded) -> None:
    guarded.begin()
    lane = Lane("isnet-general-use:exact")
    with connect(guarded.url_of("gateway")) as client:
        Ledger(client, LedgerLimits()).tasks.create(
            new_task(item_count=3, spec=CutoutSpec(model="isnet-general-use"))
        )
    app = application(guarded.url_of("worker"))
    with app.connection_for_read() as connection:
        channel, queue = connection.default_channel, queue_name(lane)
        first, second = channel.basic_get(queue), channel.basic_get(queue)
        first.ack()
        second.reject(requeue=True)
        channel.basic_get(queue)
        channel.qos.visibility_timeout = -1
        channel.qos.restore_visible()  # as if the worker that has it were lost
        channel.basic_get(queue)
        channel.qos.restore_unacked()
        received: list[Any] = []
        taken = Queue(queue)  # type: ignore[no-untyped-call]
        with connection.Consumer(taken, callbacks=[lambda _, message: received.append(message)]):
            connection.drain_events(timeout=5)
        received[0].ack()
    assert not guarded.refusals()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_files_are_what_the_program_makes(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == access_control_list(), "run `python -m docs.manual`"


def test_what_a_script_touches_stands_in_its_text() -> None:
    """Else its user would lack a key or a command, and be refused at work."""
    for name, text in script_texts().items():
        code = re.sub(r"--.*", "", text).replace("local function key(kind, name)", "")
        assert not re.findall(r"\bkey\((?!'\w+'[,)])", code), name
        assert not re.findall(r"\bredis\.p?call(?!\('[A-Z]+')", code), name
