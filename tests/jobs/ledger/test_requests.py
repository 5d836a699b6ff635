"""What is known of the request that made a task reaches workers and couriers, and nobody depends on it."""

from __future__ import annotations

from redis import Redis

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.encoding import decode_request
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Request
from tests.fakes import ManualClock
from tests.jobs.build import DELIVERIES, LANE, URL, claim_next, new_task, result_of, take_errand

REQUEST = Request(uuid="r-1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def test_a_claim_says_who_pays_and_which_request_asked(ledger: RedisLedger) -> None:
    ledger.create(new_task(account="bob", request=REQUEST))
    claim = claim_next(ledger)
    assert (claim.account, claim.request) == ("bob", REQUEST)


def test_a_claim_says_how_long_its_item_waited(ledger: RedisLedger, clock: ManualClock) -> None:
    ledger.create(new_task())
    clock.advance(2.5)
    token = new_token()
    first = ledger.claim([LANE], "worker-1", token)
    clock.advance(1)
    again = ledger.claim([LANE], "worker-1", token)
    assert first is not None
    assert again is not None
    assert first.waited_seconds == again.waited_seconds
    assert 2.4 < first.waited_seconds < 3.5
    assert ledger.give_back(first)
    assert claim_next(ledger).waited_seconds < 1


def test_errands_say_it_too(ledger: RedisLedger) -> None:
    ledger.create(new_task(source_url=URL, deliveries=DELIVERIES, request=REQUEST))
    fetch = take_errand(ledger)
    assert fetch.request == REQUEST
    assert ledger.fetched(fetch)
    claim = claim_next(ledger)
    assert ledger.finish(claim, result_of(claim))
    assert [take_errand(ledger).request for _ in DELIVERIES] == [REQUEST] * len(DELIVERIES)


def test_nothing_known_is_nothing(ledger: RedisLedger) -> None:
    ledger.create(new_task(source_url=URL))
    errand = take_errand(ledger)
    assert errand.request == Request()
    assert ledger.fetched(errand)
    assert claim_next(ledger).request == Request()


def test_a_task_from_before_there_were_requests(client: Redis, key_prefix: str) -> None:
    ledger = RedisLedger(client, LedgerLimits(), key_prefix=key_prefix)
    task = new_task(request=REQUEST)
    ledger.create(task)
    assert client.hdel(f"{key_prefix}task:{task.uid}", "request") == 1
    assert claim_next(ledger).request == Request()


def test_what_a_newer_version_adds_is_left_aside() -> None:
    assert decode_request('{"uuid": "r-1", "colour": "blue"}') == Request(uuid="r-1")
    assert decode_request(None) == decode_request("") == Request()
