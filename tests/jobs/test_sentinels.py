"""Sentinels: their address, and that everything follows the master."""

from collections.abc import Callable, Iterator

import pytest

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.hints.celery import CeleryQueue
from cutgate.jobs.ledger.redis.client import connect
from cutgate.jobs.ledger.redis.events import RedisTaskEvents
from cutgate.jobs.sentinels import Sentinels
from tests.jobs.build import LANE, Ledger
from tests.servers.sentinel import PASSWORD, SENTINEL_PASSWORD, SERVICE, Watched, watched_server
from tests.waiting import eventually


class TestAddress:
    def test_all_of_it(self) -> None:
        assert Sentinels.parse(
            "sentinel://me:p%40w@a:1,b,[::1]:3/2?service=s%20t&sentinel_password=q"
        ) == Sentinels(
            nodes=(("a", 1), ("b", 26_379), ("::1", 3)),
            service="s t",
            database=2,
            username="me",
            password="p@w",
            sentinel_password="q",
        )

    def test_the_least(self) -> None:
        address = Sentinels.parse("sentinel://host?service=s")
        assert address == Sentinels(nodes=(("host", 26_379),), service="s")

    @pytest.mark.parametrize(
        "url",
        [
            "sentinel://:p4ss@host",
            "sentinel://:p4ss@host/0?service=",
            "sentinel://:p4ss@/0?service=s",
            "sentinel://:p4ss@a,,b/0?service=s",
            "sentinel://:p4ss@a:x/0?service=s",
            "sentinel://:p4ss@a/x?service=s",
            "sentinel://:p4ss@a/-1?service=s",
            "sentinel://:p4ss@a/0?service=s&p4ss=1",
            "redis://:p4ss@a/0?service=s",
        ],
    )
    def test_what_is_none_is_not_repeated(self, url: str) -> None:
        with pytest.raises(ValueError, match="not a URL of sentinels") as error:
            Sentinels.parse(url)
        assert "p4ss" not in str(error.value)
        assert error.value.__suppress_context__ or error.value.__context__ is None

    def test_passwords_stay_out_of_its_repr(self) -> None:
        assert "pw" not in repr(Sentinels.parse("sentinel://:pw1@a?service=s&sentinel_password=pw2"))


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with watched_server() as watched:
        yield watched


def answers(call: Callable[[], object]) -> bool:
    try:
        call()
    except LedgerUnavailable:
        return False
    return True


def test_the_url_names_what_runs(watched: Watched) -> None:
    address = Sentinels.parse(watched.url)
    assert (address.service, address.password, address.sentinel_password) == (SERVICE, PASSWORD, SENTINEL_PASSWORD)


def test_everything_goes_on_at_the_new_master(watched: Watched) -> None:
    queue = CeleryQueue(watched.url)
    with connect(watched.url) as client, RedisTaskEvents(watched.url) as events:
        ledger = Ledger(client)
        task = ledger.submit(item_count=2)
        first = ledger.next_claim()
        queue.hint(LANE)
        client.wait(1, 5_000)
        old_run_id = client.info("server")["run_id"]

        watched.fail_over()

        eventually(lambda: answers(lambda: ledger.done(first)), seconds=20)
        assert client.info("server")["run_id"] != old_run_id
        eventually(lambda: answers(lambda: queue.hint(LANE)), seconds=20)
        assert queue.pending(LANE) == 2
        assert client.get_connection_kwargs()["db"] == 3
        second = ledger.next_claim()
        with events.listen([task.uid]) as waiter:
            assert ledger.done(second)
            assert waiter.wait(5)
        assert ledger.task(task.uid).booked == 2


def test_sentinels_that_are_away() -> None:
    with connect("sentinel://:p4ss@127.0.0.1:1/0?service=s") as client, pytest.raises(LedgerUnavailable) as error:
        Ledger(client).ping()
    assert "p4ss" not in str(error.value)
