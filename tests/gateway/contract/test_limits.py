"""Tests of what an account may have: rates, queued pictures, credits, models, places to wait."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.spec import PRESETS, ModelChoice, Precision
from tests.fakes import ManualClock
from tests.gateway.contract.codes import REFUSALS
from tests.gateway.contract.facades import QUICK, Facade, Maker, Picpik, Rembg, RemoveBg, Reply, Runware, only
from tests.gateway.harness import ACCOUNT, MASTER_KEY, there
from tests.jobs.build import run_at_once
from tests.ledgers import fresh_presence
from tests.waiting import eventually

NO_BURST = {"account_queue_cap": 1}
"""No more than a second's worth may come at once; the ledger's own cap of the queue stays."""
BEST = PRESETS["best"]


def limited(facade: Facade, count: int) -> Facade:
    """The same gateway, where so many pictures may be sent at once."""
    return facade.with_settings(**NO_BURST, **{facade.submit_rate: count})


def too_often(facade: Facade, send: Callable[[], Reply]) -> Reply:
    """The reply to one request too many: a slow machine sends no more than the rate for a while."""
    refused = getattr(REFUSALS["too often"], facade.name)
    return next(reply for reply in (send() for _ in range(20)) if reply.outcome == refused)


class TestRates:
    def test_over_the_rate_is_told_with_the_time_to_wait(self, facade: Facade) -> None:
        facade = limited(facade, 2)
        taken = 0
        while (reply := facade.submit()).job is not None:
            taken += 1  # a slow machine sends no more than the rate for a while
        assert taken >= 2
        assert 1 <= facade.refused(reply, "too often").retry_after_seconds <= 60
        assert len(facade.gateway.stored()) == taken

    @only(Picpik, RemoveBg)
    def test_a_client_can_see_it_coming(self, facade: Facade) -> None:
        facade = limited(facade, 2)
        first, last = facade.submit(), too_often(facade, facade.submit)
        headers = [first.response.headers, last.response.headers]
        assert [header["X-RateLimit-Remaining"] for header in headers] == ["1", "0"]
        assert {header["X-RateLimit-Limit"] for header in headers} == {"2"}
        assert all(header["X-RateLimit-Reset"].isdecimal() for header in headers)

    def test_a_bad_request_shows_the_rate_at_picpik_alone(self, facade: Facade) -> None:
        headers = facade.submit("not base64!").response.headers
        assert ("X-RateLimit-Remaining" in headers) is isinstance(facade, Picpik)

    def test_a_bad_request_counts(self, make: Maker) -> None:
        for fields in ({"source": "not base64!"}, make.kind.bad_field):
            facade = limited(make(), 1)
            assert facade.submit(**fields).status in {200, 400, 422}
            too_often(facade, partial(facade.submit, **fields))
            facade.gateway.assert_nothing_left()

    def test_a_bad_request_counts_once(self, facade: Facade) -> None:
        facade = limited(facade, 2)
        facade.submit("not base64!")
        facade.accept()

    @only(Picpik, Runware, RemoveBg)  # rembg has no questions
    def test_questions_and_pictures_do_not_share(self, facade: Facade) -> None:
        facade = limited(facade, 1).with_settings(**NO_BURST, **{facade.submit_rate: 1}, polls_per_second=1)
        facade.accept()
        assert not facade.ask().code
        too_often(facade, facade.submit)
        too_often(facade, facade.ask)

    @only(Picpik, Runware)  # callers of remove.bg wait, and half of the threads may
    def test_a_first_import_of_a_hundred_pictures_is_not_refused(self, make: Maker) -> None:
        """With the settings and limits that everybody has who sets nothing."""
        facade = make.of(GatewaySettings(master_key=MASTER_KEY, **QUICK))
        replies = run_at_once(100, lambda _: facade.submit())
        assert {reply.job is None for reply in replies} == {False}
        assert facade.waiting() == 100


class TestQueue:
    @pytest.mark.parametrize("own", [False, True], ids=["settings", "account's terms"])
    def test_a_full_queue_stores_nothing_and_says_when(self, make: Maker, own: bool) -> None:
        facade = make() if own else make(account_queue_cap=2)
        if own:
            facade.gateway.accounts.change(ACCOUNT, terms=Terms(queue_cap=2))
        facade.accept()
        facade.accept()
        refused = facade.refused(facade.submit(), "queue full")
        assert refused.retry_after_seconds >= 1
        assert len(facade.gateway.stored()) == facade.waiting() == 2
        facade.refused(facade.submit("not base64!"), "not base64")  # it could never be taken
        facade.other("another").accept()
        facade.gateway.finish_one()
        facade.accept()

    def test_a_full_queue_says_when_there_is_room(self, make: Maker) -> None:
        """Pictures ended every ten seconds or so, and one more has to end."""
        facade = make(account_queue_cap=4)
        for _ in range(4):
            facade.accept()
        for _ in range(4):
            facade.gateway.finish_one()
            facade.clock.advance(10)
            facade.accept()
        assert 8 <= facade.refused(facade.submit(), "queue full").retry_after_seconds <= 16

    @only(Runware, RemoveBg, Rembg)
    def test_where_no_place_to_wait_is_free_nothing_is_accepted(self, make: Maker) -> None:
        facade = make(held_callers=1, removebg_sync_seconds=20, runware_sync_seconds=20)
        waits: dict[str, Any] = {} if make.kind is not Runware else {"deliveryMethod": "sync"}
        with ThreadPoolExecutor() as callers:
            first = callers.submit(facade.submit, **waits)
            eventually(facade.waiting)
            assert facade.refused(facade.submit(**waits), "no place to wait").retry_after_seconds >= 1
            assert facade.waiting() == len(facade.gateway.stored()) == 1
            facade.gateway.finish_one()
            assert not first.result().code


class TestCredits:
    def test_who_cannot_pay_is_refused_before_the_picture_is_looked_at(self, facade: Facade) -> None:
        """What remove.bg charges depends on the picture's size, and rembg's pictures come as bytes."""
        facade.gateway.store.accounts.grant(ACCOUNT, 0)
        facade.refused(facade.submit(), "no credits")
        why = "not base64" if isinstance(facade, RemoveBg | Rembg) else "no credits"
        facade.refused(facade.submit("not base64!"), why)
        facade.gateway.assert_nothing_left()

    @pytest.mark.parametrize(("price", "taken"), [(4, 2), (0, 3)])
    def test_the_accounts_price_is_reserved_and_booked(self, facade: Facade, price: int, taken: int) -> None:
        facade.gateway.accounts.change(ACCOUNT, terms=Terms(price_credits=price))
        facade.gateway.store.accounts.grant(ACCOUNT, 9)
        for _ in range(taken):
            facade.accept()
        assert there(facade.gateway.store.accounts.balance(ACCOUNT)).reserved == taken * price
        if taken * price > 9 - price:
            facade.refused(facade.submit(), "no credits")
        facade.gateway.finish_one()
        facade.fail("processing_failed")
        balance = there(facade.gateway.store.accounts.balance(ACCOUNT))
        assert (balance.used, balance.reserved) == (price, (taken - 2) * price)

    def test_many_at_once_on_a_balance_for_three(self, facade: Facade) -> None:
        facade.gateway.store.accounts.grant(ACCOUNT, 3)
        replies = run_at_once(12, lambda _: facade.submit())
        assert [reply.job is not None for reply in replies].count(True) == 3
        balance = there(facade.gateway.store.accounts.balance(ACCOUNT))
        assert (balance.reserved, balance.available) == (3, 0)
        assert facade.waiting() == len(facade.gateway.stored()) == 3


class TestModels:
    def test_the_accounts_model_is_the_lane(self, facade: Facade) -> None:
        gateway = facade.gateway
        gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
        gateway.offer(BEST)
        facade.accept()
        assert gateway.hints == [BEST.lane]
        gateway.accounts.change(ACCOUNT, forget=("model", "precision"))
        facade.accept()
        assert facade.waiting() == 1

    @pytest.mark.parametrize(
        ("terms", "lane"),
        [({"model": "u2netp"}, "u2netp:exact"), ({"precision": Precision.FAST}, "isnet-general-use:fast")],
        ids=["a model of its own is exact", "a precision of its own is of the installation's model"],
    )
    def test_half_a_choice(self, make: Maker, terms: dict[str, Any], lane: str) -> None:
        facade = make(precision=Precision.FAST if "model" in terms else Precision.EXACT)
        facade.gateway.accounts.change(ACCOUNT, terms=Terms(**terms))
        facade.gateway.offer(ModelChoice.parse("u2netp"))
        facade.gateway.offer(ModelChoice(model="isnet-general-use", precision=Precision.FAST), owner="w-2")
        facade.accept()
        assert facade.gateway.hints == [lane]

    def test_what_no_worker_offers_is_refused_and_nothing_is_stored(self, facade: Facade) -> None:
        """remove.bg's clients repeat 503, and its table has no text for a model."""
        gateway = facade.gateway
        facade.accept()  # the installation's own model is never refused, whoever is there
        gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
        gateway.offer(PRESETS["exact"])
        refused = facade.refused(facade.submit(), "no model")
        named = "no worker serves the model birefnet-general (exact)" in refused.text.lower()
        assert named is not isinstance(facade, RemoveBg)
        assert ("Retry-After" in refused.response.headers) is isinstance(facade, RemoveBg)
        assert len(gateway.stored()) == 1
        gateway.offer(BEST)
        facade.accept()

    def test_a_worker_that_restarts_refuses_nobody_and_a_repeat_finds_its_job(self, facade: Facade) -> None:
        clock = ManualClock()
        facade = replace(facade, gateway=replace(facade.gateway, presence=fresh_presence(clock)))
        facade.gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
        facade.gateway.offer(BEST)
        facade.gateway.presence.leave("w-1")
        # The clock runs on with the server's: a minute is what a slow machine may take.
        clock.advance(seconds=facade.gateway.settings.offer_memory_seconds - 60)
        job = facade.accept()
        clock.advance(seconds=61)
        facade.refused(facade.submit(), "no model")
        assert facade.accept(job=job) == job
