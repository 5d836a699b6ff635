"""What is known of the request that made a task reaches workers and couriers, and nobody depends on it."""

from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.encoding import decode_request
from cutgate.jobs.record import Request
from tests.jobs.build import DELIVERIES, LANE, Ledger

REQUEST = Request(uuid="r-1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def test_a_claim_says_who_pays_and_which_request_asked(ledger: Ledger) -> None:
    claim = ledger.claimed(account="bob", request=REQUEST)
    assert (claim.account, claim.request) == ("bob", REQUEST)


def test_a_claim_says_how_long_its_item_waited(ledger: Ledger) -> None:
    ledger.submit()
    ledger.clock.advance(2.5)
    token = new_token()
    first = ledger.claim([LANE], "worker-1", token)
    ledger.clock.advance(1)
    again = ledger.claim([LANE], "worker-1", token)
    assert first is not None
    assert again is not None
    assert first.waited_seconds == again.waited_seconds
    assert 2.4 < first.waited_seconds < 3.5
    assert ledger.give_back(first)
    assert ledger.next_claim().waited_seconds < 1


def test_errands_say_it_too(ledger: Ledger) -> None:
    fetch = ledger.fetching(deliveries=DELIVERIES, request=REQUEST)
    assert fetch.request == REQUEST
    assert ledger.fetched(fetch)
    assert ledger.done(ledger.next_claim())
    assert [ledger.next_errand().request for _ in DELIVERIES] == [REQUEST] * len(DELIVERIES)


def test_nothing_known_is_nothing(ledger: Ledger) -> None:
    errand = ledger.fetching()
    assert errand.request == Request()
    assert ledger.fetched(errand)
    assert ledger.next_claim().request == Request()


def test_a_task_from_before_there_were_requests(ledger: Ledger) -> None:
    task = ledger.submit(request=REQUEST)
    assert ledger.client.hdel(f"{ledger.key_prefix}task:{task.uid}", "request") == 1
    assert ledger.next_claim().request == Request()


def test_what_a_newer_version_adds_is_left_aside() -> None:
    assert decode_request('{"uuid": "r-1", "colour": "blue"}') == Request(uuid="r-1")
    assert decode_request(None) == decode_request("") == Request()
