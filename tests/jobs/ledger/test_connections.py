"""The connections that scripts run on, one call after the other: none answers what another call asked."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Event
from types import FrameType
from typing import TypeAlias

import pytest
from redis import Redis

from cutgate.jobs.answers import Balance, Created, Reaped
from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger import database
from cutgate.jobs.record import Claim, Joining
from cutgate.jobs.redis_client import connect
from tests.jobs.build import ENDED, LANE, Ledger, new_task, new_upload
from tests.jobs.every_script import go_through_every_script
from tests.ledgers import fresh_prefix
from tests.servers.relay import LossyRelay, lossy_relay

CALLS = 300


class Interrupted(Exception):
    pass


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """A block that a signal ends."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with pytest.raises(Interrupted):
            yield
    finally:
        signal.signal(signal.SIGALRM, before)


def is_answered(ledger: Ledger) -> bool:
    """Whether a script answers what it was asked: a task that nobody made is not the account's."""
    uid = new_task_uid()
    return ledger.tasks.ended([uid], "alice") == (uid,)


def hang_up(client: Redis) -> None:
    """Have the server close every connection but this client's own."""
    client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("retries", [1, 2])
def test_one_that_the_server_closed_is_made_anew(
    client: Redis, redis_url: str, key_prefix: str, retries: int
) -> None:
    with connect(redis_url, retries=retries) as own:
        ledger = Ledger(own, key_prefix=key_prefix)
        assert is_answered(ledger)
        hang_up(client)
        assert is_answered(ledger)


def test_one_that_was_closed_while_it_rested_costs_no_retry(
    client: Redis, redis_url: str, key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_FRESH_SECONDS", 0)
    with connect(redis_url, retries=0) as own:
        ledger = Ledger(own, key_prefix=key_prefix)
        assert is_answered(ledger)
        hang_up(client)
        assert is_answered(ledger)


def test_a_server_that_forgets_all_scripts_again_and_again_runs_every_call(
    client: Redis, redis_url: str, key_prefix: str
) -> None:
    over = Event()

    def forget() -> None:
        while not over.is_set():
            client.script_flush()

    with connect(redis_url) as own, ThreadPoolExecutor() as beside:
        ledger, forgetting = Ledger(own, key_prefix=key_prefix), beside.submit(forget)
        try:
            assert all(is_answered(ledger) for _ in range(CALLS))
        finally:
            over.set()
        forgetting.result()


def test_one_whose_answer_nobody_waited_for_is_not_used_again(redis_url: str, key_prefix: str) -> None:
    with lossy_relay(redis_url) as relay, connect(relay.url) as through_relay:
        ledger = Ledger(through_relay, key_prefix=key_prefix)
        assert is_answered(ledger)
        relay.silent.set()
        with interrupted_after(0.3):
            ledger.tasks.ended([new_task_uid()], "bob")
        relay.silent.clear()
        assert is_answered(ledger)


def test_a_forked_process_has_its_own(redis_url: str, key_prefix: str) -> None:
    with connect(redis_url) as own:
        ledger = Ledger(own, key_prefix=key_prefix)
        assert is_answered(ledger)
        child = os.fork()
        are_answered = all(is_answered(ledger) for _ in range(CALLS))
        if not child:
            os._exit(0 if are_answered else 1)
        assert are_answered
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_all_who_run_scripts_by_a_client_share_its_connections(
    client: Redis, redis_url: str, key_prefix: str
) -> None:
    before = len(client.client_list())
    with connect(redis_url) as own:
        for _ in range(20):
            assert is_answered(Ledger(own, key_prefix=key_prefix))
        assert len(client.client_list()) - before == 1


# A reply is lost after the script took effect: the client sends it again and must get the first answer.


ReplyLost: TypeAlias = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def proxy(redis_url: str) -> Iterator[LossyRelay]:
    with lossy_relay(redis_url) as proxy:
        yield proxy


@pytest.fixture
def ledger(proxy: LossyRelay, key_prefix: str) -> Iterator[Ledger]:
    """Each script ran once elsewhere, so that the server knows it and the next call is one round trip."""
    with connect(proxy.url) as through_proxy:
        elsewhere = fresh_prefix()
        go_through_every_script(Ledger(through_proxy, key_prefix=elsewhere))
        ledger = Ledger(through_proxy, key_prefix=key_prefix)
        ledger.accounts.grant("alice", 10)
        through_proxy.ping()  # commands have a connection of their own beside that of scripts
        yield ledger


@pytest.fixture
def reply_lost(proxy: LossyRelay, client: Redis) -> ReplyLost:
    """A block in which one reply is lost and its script therefore runs twice."""

    def script_count() -> int:
        return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])

    @contextmanager
    def lose(after: int = 0) -> Iterator[None]:
        before, lost_before = script_count(), proxy.lost_count
        proxy.lose_next_reply(after)
        yield
        assert proxy.lost_count - lost_before == 1
        assert script_count() - before == 2

    return lose


def test_create(ledger: Ledger, reply_lost: ReplyLost) -> None:
    task = new_task(item_count=2)
    with reply_lost():
        assert ledger.tasks.create(task) == Created(uid=task.uid, repeated=False)
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=2)
    assert ledger.waiting(LANE) == 2


@pytest.mark.parametrize(
    ("call", "after"),
    [
        (lambda ledger, claim: ledger.done(claim), (4, 0, 0, 1)),
        (lambda ledger, claim: ledger.claims.give_back_owned(claim.owner, died=True) == 1, (0, 4, 1, 1)),
    ],
    ids=["finish", "give back by owner"],
)
def test_what_ends_a_claim(
    ledger: Ledger, reply_lost: ReplyLost, call: Callable[[Ledger, Claim], bool], after: tuple[int, ...]
) -> None:
    claim = ledger.claimed(price=4)
    with reply_lost():
        assert call(ledger, claim)
    balance = ledger.accounts.balance("alice")
    assert balance is not None
    assert (balance.used, balance.reserved, ledger.waiting(LANE), ledger.item(claim).attempts) == after
    ends = int(ledger.item(claim).state in ENDED)
    usage = ledger.used()
    assert (usage.done + usage.failed, usage.credits) == (ends, balance.used)


def test_reap(ledger: Ledger, reply_lost: ReplyLost) -> None:
    ledger.claimed(price=4)
    ledger.clock.advance(seconds=16)
    with reply_lost(after=1):  # the first reply is the server's run_id
        assert ledger.upkeep.reap() == Reaped(requeued=1)
    assert ledger.waiting(LANE) == 1


def test_grant(ledger: Ledger, reply_lost: ReplyLost) -> None:
    with reply_lost():
        assert ledger.accounts.grant("alice", 5) == Balance(granted=15, used=0, reserved=0)


def test_joining(ledger: Ledger, reply_lost: ReplyLost) -> None:
    same = Joining(content_digest="aa", seconds=600)
    uid = ledger.submit(idempotency=same).uid
    with reply_lost():
        assert ledger.recall("alice", same) == uid
    assert [ledger.tasks.leave(uid, "alice") for _ in range(2)] == [False, True]


def test_leave(ledger: Ledger, reply_lost: ReplyLost) -> None:
    """Of two that wait for a task one leaves."""
    same = Joining(content_digest="aa", seconds=600)
    uid = ledger.submit(idempotency=same).uid
    assert ledger.recall("alice", same) == uid
    with reply_lost():
        assert not ledger.tasks.leave(uid, "alice")
    assert ledger.tasks.leave(uid, "alice")


def test_uploads(ledger: Ledger, reply_lost: ReplyLost) -> None:
    upload = new_upload()
    with reply_lost():
        ledger.uploads.keep(upload)
    with reply_lost():
        assert ledger.uploads.use(upload.uid, "alice") == upload
    with reply_lost():
        assert ledger.uploads.drop(upload.uid, "alice") == upload
    assert ledger.uploads.drop(upload.uid, "alice") is None
