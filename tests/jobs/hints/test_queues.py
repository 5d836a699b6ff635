"""Hints: what the ledger's scripts send, as Celery takes it."""

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from cutgate.jobs.hints.celery import broker_url, celery_settings
from cutgate.jobs.hints.queue import TASK_NAME, queue_name
from cutgate.jobs.ids import new_token
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim
from cutgate.jobs.redis_client import connect
from tests.broker import application, take_hint
from tests.jobs.build import LANE, OTHER_LANE, OTHER_SPEC, Ledger, new_task, run_at_once
from tests.ledgers import hints_of, lose_hints
from tests.servers.redis_server import redis_server
from tests.waiting import eventually

MOST = 32
"""As `lua/shared/hints.lua` has it."""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A server of its own: there the ledger has its usual name, and workers find its hints."""
    with redis_server(password="s3cret") as url:
        yield f"{url}?db=3"


@pytest.fixture
def usual_ledger(broker: str) -> Iterator[Ledger]:
    with connect(broker) as client:
        client.flushdb()
        yield Ledger(client, LedgerLimits())


def test_a_hint_is_a_message_that_carries_the_lane(broker: str, usual_ledger: Ledger) -> None:
    usual_ledger.tasks.create(new_task(item_count=2))
    usual_ledger.tasks.create(new_task(spec=OTHER_SPEC))
    assert sorted(hints_of(usual_ledger)) == sorted([LANE, LANE, OTHER_LANE])
    assert [take_hint(broker, LANE), take_hint(broker, LANE), take_hint(broker, LANE)] == [LANE, LANE, None]


def test_it_says_what_celerys_own_message_says(broker: str, usual_ledger: Ledger) -> None:
    """All that Celery's workers read of a message, and nothing that theirs has not."""
    usual_ledger.tasks.create(new_task())
    app = application(broker)
    with Redis.from_url(broker, decode_responses=True) as client:
        ours = json.loads(client.rpop(queue_name(LANE)) or "")
        app.send_task(TASK_NAME, args=[LANE], queue=queue_name(LANE), ignore_result=True)
        theirs = json.loads(client.rpop(queue_name(LANE)) or "")
    for part in ("headers", "properties"):
        assert ours[part].keys() <= theirs[part].keys()
        known = {name: value for name, value in ours[part].items() if not name.endswith(("id", "tag"))}
        assert known == {name: theirs[part][name] for name in known}
    assert ours["content-type"] == theirs["content-type"]
    assert len(ours["headers"]["id"]) > 0
    assert ours["headers"]["id"] == ours["properties"]["correlation_id"] == ours["properties"]["delivery_tag"]


def test_each_message_has_an_id_of_its_own(broker: str, usual_ledger: Ledger) -> None:
    usual_ledger.tasks.create(new_task(item_count=3))
    with Redis.from_url(broker) as client:
        messages = [json.loads(message) for message in client.lrange(queue_name(LANE), 0, -1)]
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 3


class TestHowMany:
    """A few are enough: who follows one leaves another while there is more to do."""

    def follow(self, ledger: Ledger) -> Claim | None:
        """What a worker does with a hint, where there is one."""
        return ledger.claims.take([LANE], "worker", new_token()) if lose_hints(ledger, 1) else None

    def test_a_long_line_has_no_more_than_workers_need(self, ledger: Ledger) -> None:
        for _ in range(20):
            ledger.submit(item_count=10)
        assert hints_of(ledger) == [LANE] * MOST

    @pytest.mark.parametrize("count", [1, MOST, MOST + 1, 5 * MOST])
    def test_they_last_until_the_lane_is_empty(self, ledger: Ledger, count: int) -> None:
        ledger.submit(item_count=count)
        claims = 0
        while hints_of(ledger):
            claims += self.follow(ledger) is not None
        assert (claims, ledger.waiting(LANE)) == (count, 0)

    def test_they_wake_more_workers_than_there_are_hints(self, ledger: Ledger) -> None:
        """A hundred workers, none of which ends its item before all are at work."""
        ledger.submit(item_count=100)
        run_at_once(100, lambda _: eventually(lambda: self.follow(ledger)))
        assert ledger.waiting(LANE) == 0

    def test_what_is_put_back_is_told_at_once(self, ledger: Ledger) -> None:
        ledger.submit()
        claim = self.follow(ledger)
        assert claim is not None
        assert hints_of(ledger) == []
        assert ledger.claims.give_back(claim)
        assert hints_of(ledger) == [LANE]

    def test_a_lost_workers_item_is_told_at_once(self, ledger: Ledger) -> None:
        ledger.submit()
        assert self.follow(ledger)
        ledger.clock.advance(16)
        assert ledger.upkeep.reap().requeued == 1
        assert hints_of(ledger) == [LANE]

    def test_a_repeat_of_a_task_sends_none(self, ledger: Ledger) -> None:
        task = new_task()
        for _ in range(3):
            ledger.tasks.create(task)
        assert hints_of(ledger) == [LANE]


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("redis://:pw@h:1/2", "redis://:pw@h:1/2"),
        ("rediss://h/0", "rediss://h/0?ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_ca_certs=/ca", "rediss://h/0?ssl_ca_certs=/ca&ssl_cert_reqs=required"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
        ("sentinel://:p%2Fw@h:1,[::1]/2?service=s", "sentinel://:p%2Fw@h:1/2;sentinel://:p%2Fw@[::1]:26379/2"),
        ("rediss+sentinel://h:1,i/2?service=s", "sentinel://h:1/2;sentinel://i:26379/2"),
        ("unix:///tmp/r.sock", "redis+socket:///tmp/r.sock?virtual_host=0"),
        ("unix://u:pw@/tmp/r.sock?db=4", "redis+socket://u:pw@/tmp/r.sock?virtual_host=4"),
    ],
)
def test_urls_as_celery_reads_them(redis_url: str, expected: str) -> None:
    assert broker_url(redis_url) == expected


def test_each_side_gets_settings_of_its_own() -> None:
    one, other = celery_settings("redis://h"), celery_settings("redis://h")
    assert one == other
    assert one["broker_transport_options"] is not other["broker_transport_options"]
