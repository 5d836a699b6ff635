"""Pictures behind the subject: sent along or fetched, handed to the worker, and gone with the source."""

from dataclasses import replace
from typing import Any

import pytest

from cutgate.jobs.ids import BlobKey, background_key, new_token
from cutgate.jobs.record import Errand, ItemState, NewTask
from tests.jobs.build import ERROR, LANE, URL, Ledger, new_task
from tests.ledgers import spent_sources

BACKGROUND_URL = "https://pictures.example/beach.jpg?key=hidden"


def submit(ledger: Ledger, *, source_url: str | None = None, **of_item: Any) -> NewTask:
    task = new_task(source_url=source_url)
    task = replace(task, items=(replace(task.items[0], **of_item),))
    ledger.tasks.create(task)
    return task


def with_sent(ledger: Ledger, source_url: str | None = None) -> tuple[NewTask, BlobKey]:
    task = new_task(source_url=source_url)
    background = background_key(task.uid, 0, new_token())
    task = replace(task, items=(replace(task.items[0], background=background),))
    ledger.tasks.create(task)
    return task, background


def fetching(ledger: Ledger, **facts: Any) -> tuple[NewTask, Errand]:
    task = submit(ledger, background_url=BACKGROUND_URL, **facts)
    return task, ledger.next_errand()


def test_one_that_was_sent_comes_with_the_claim(ledger: Ledger) -> None:
    _, background = with_sent(ledger)
    assert ledger.next_claim().background == background
    ledger.submit()
    assert ledger.next_claim().background is None


def test_one_at_a_url_holds_the_item_until_it_is_fetched(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.task(task.uid).items[0].state is ItemState.FETCHING
    assert (errand.url, errand.source, errand.background_url) == ("", None, BACKGROUND_URL)
    assert (ledger.waiting(LANE), ledger.no_claim()) == (0, True)
    assert ledger.errands.fetched(errand)
    claim = ledger.next_claim()
    assert (claim.source, claim.background) == (task.items[0].source, errand.background)


def test_both_are_fetched_by_one_errand(ledger: Ledger) -> None:
    _, errand = fetching(ledger, source_url=URL)
    assert (errand.url, errand.background_url) == (URL, BACKGROUND_URL)
    assert ledger.no_errand()
    assert ledger.errands.fetched(errand)
    claim = ledger.next_claim()
    assert (claim.source, claim.background) == (errand.source, errand.background)


def test_each_taking_of_an_errand_writes_elsewhere(ledger: Ledger) -> None:
    _, first = fetching(ledger)
    ledger.errands.postpone(first, 0)
    second = ledger.next_errand()
    assert second.background != first.background
    assert not ledger.errands.fetched(first)
    assert ledger.errands.fetched(second)
    assert ledger.next_claim().background == second.background


def test_a_claim_given_back_keeps_it(ledger: Ledger) -> None:
    _, background = with_sent(ledger)
    assert ledger.claims.give_back(ledger.next_claim())
    assert ledger.next_claim().background == background


@pytest.mark.parametrize("source_url", [None, URL])
def test_it_goes_with_the_source(ledger: Ledger, source_url: str | None) -> None:
    task, background = with_sent(ledger, source_url)
    source = task.items[0].source
    if source_url is not None:
        errand = ledger.next_errand()
        assert ledger.errands.fetched(errand)
        assert errand.source is not None
        source = errand.source
    assert ledger.done(ledger.next_claim())
    assert spent_sources(ledger) == {source, background}


def test_a_source_that_lay_here_goes_when_its_background_is_not_to_be_had(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.errands.fetch_failed(errand, ERROR)
    assert spent_sources(ledger) == {task.items[0].source}
    assert ledger.task(task.uid).items[0].error == ERROR


def test_terminated_while_it_is_fetched_its_source_goes(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert ledger.tasks.terminate(task.uid, "alice")
    assert spent_sources(ledger) == {task.items[0].source}
    assert not ledger.errands.fetched(errand)


def test_its_address_is_secret_and_excludes_one_that_was_sent(ledger: Ledger) -> None:
    task, errand = fetching(ledger)
    assert "hidden" not in f"{task} {errand}"
    background = background_key(task.uid, 0, new_token())
    with pytest.raises(ValueError, match="lies here, or is fetched"):
        submit(ledger, background=background, background_url=BACKGROUND_URL)
