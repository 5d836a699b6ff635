"""The connections that scripts run on, one call after the other: none answers what another call asked."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from types import FrameType

import pytest
from redis import Redis

from cutgate.jobs.ids import new_task_uid
from cutgate.jobs.ledger import client as connections
from cutgate.jobs.ledger.client import connect
from tests.jobs.build import Ledger
from tests.servers.relay import lossy_relay

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
    monkeypatch.setattr(connections, "_FRESH_SECONDS", 0)
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
