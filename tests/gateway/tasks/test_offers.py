"""Which models an account's pictures may ask for: what nobody computes is refused before it waits."""

import json
from dataclasses import replace

import pytest

from cutgate.gateway.accounts.records import Terms
from cutgate.gateway.tasks.offers import MEMORY_SECONDS
from cutgate.jobs.spec import PRESETS, ModelChoice, Precision
from tests.fakes import ManualClock
from tests.gateway import picture_files as pictures
from tests.gateway.harness import ACCOUNT, Harness
from tests.ledgers import fresh_presence

BEST = PRESETS["best"]


PICTURE = json.dumps(Harness.signed_picture(pictures.BASE64_8X8))


def test_the_accounts_model_is_the_lane(gateway: Harness) -> None:
    gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
    gateway.offer(BEST)
    gateway.submit()
    assert gateway.hints == [BEST.lane]
    assert gateway.store.waiting(gateway.lane) == 0
    gateway.accounts.change(ACCOUNT, forget=("model", "precision"))
    gateway.submit()
    assert gateway.store.waiting(gateway.lane) == 1


def test_a_model_of_its_own_is_computed_exactly(gateway: Harness) -> None:
    gateway = gateway.with_settings(precision=Precision.FAST)
    gateway.accounts.change(ACCOUNT, terms=Terms(model="u2netp"))
    gateway.offer(ModelChoice(model="u2netp"))
    gateway.submit()
    assert gateway.hints == ["u2netp:exact"]


def test_a_precision_of_its_own_is_of_the_installations_model(gateway: Harness) -> None:
    fast = ModelChoice(model=gateway.settings.model, precision=Precision.FAST)
    gateway.accounts.change(ACCOUNT, terms=Terms(precision=Precision.FAST))
    gateway.offer(fast)
    gateway.submit()
    assert gateway.hints == [fast.lane]


def test_what_no_worker_offers_is_refused_and_nothing_is_stored(gateway: Harness) -> None:
    gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
    gateway.offer(PRESETS["exact"])
    answer = gateway.post(PICTURE)
    body = answer.get_json()
    assert (answer.status_code, body["RetCode"], body["Message"]) == (200, 150, "Service unavailable")
    assert body["Detail"] == "no worker serves the model birefnet-general (exact)"
    assert "Retry-After" not in answer.headers
    assert not gateway.stored()
    gateway.offer(BEST)
    gateway.submit()


def test_the_installations_model_is_never_refused(gateway: Harness) -> None:
    assert gateway.presence.alive() == ()
    gateway.submit()


@pytest.fixture
def on_a_clock(gateway: Harness) -> tuple[Harness, ManualClock]:
    """A gateway whose account asks for `best`, with the workers' presence on a clock of its own."""
    clock = ManualClock()
    gateway = replace(gateway, presence=fresh_presence(clock))
    gateway.accounts.change(ACCOUNT, terms=Terms(**BEST.model_dump()))
    return gateway, clock


def test_a_worker_that_restarts_refuses_nobody(on_a_clock: tuple[Harness, ManualClock]) -> None:
    gateway, clock = on_a_clock
    gateway.offer(BEST)
    gateway.presence.leave("w-1")
    clock.advance(seconds=MEMORY_SECONDS - 1)
    gateway.submit()
    clock.advance(seconds=2)
    assert gateway.code(PICTURE) == 150


def test_a_repeat_is_answered_with_its_task_whoever_is_there(on_a_clock: tuple[Harness, ManualClock]) -> None:
    gateway, clock = on_a_clock
    gateway.offer(BEST)
    first = gateway.submit(request_uuid="once")
    clock.advance(seconds=MEMORY_SECONDS + 1)
    assert gateway.submit(request_uuid="once") == first
