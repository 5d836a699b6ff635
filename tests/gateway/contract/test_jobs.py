"""Tests of an accepted picture: result or failure, repeats of the request, who sees it and for how long."""

import pytest

from cutgate.jobs.answers import Balance
from cutgate.jobs.record import ErrandKind
from tests.gateway import picture_files as pictures
from tests.gateway.contract.codes import FAILURES
from tests.gateway.contract.facades import PNG, Facade, Maker, Picpik, Rembg, RemoveBg, Runware, only
from tests.gateway.harness import ACCOUNT, there
from tests.jobs.build import run_at_once, take_errand

URL = "https://calls.example/done?key=hidden"


def test_the_result_is_there_once_a_worker_made_it(facade: Facade) -> None:
    job = facade.accept()
    before = facade.poll(job)
    assert (before.code, before.image) == ("", None)
    facade.gateway.finish_one(b"a picture")
    for _ in range(2):
        after = facade.poll(job)
        assert (after.status, after.code, after.image) == (200, "", b"a picture")


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_has_its_code_and_costs_nothing(facade: Facade, failure: str) -> None:
    facade.gateway.store.accounts.grant(ACCOUNT, 5)
    job = facade.accept()
    facade.fail(failure)
    told = facade.poll(job)
    assert told.outcome == getattr(FAILURES[failure], facade.name)
    assert told.text
    assert ("Retry-After" in told.response.headers) == (told.status == 503)
    assert facade.poll(job).outcome == told.outcome
    assert facade.gateway.store.accounts.balance(ACCOUNT) == Balance(granted=5, used=0, reserved=0)


class TestRepeats:
    def test_a_repeat_is_the_same_job_while_it_runs_and_afterwards(self, facade: Facade) -> None:
        facade.gateway.store.accounts.grant(ACCOUNT, 1)
        job = facade.accept()
        assert facade.accept(job=job) == job
        assert (facade.waiting(), len(facade.gateway.stored()), len(facade.gateway.hints)) == (1, 1, 1)
        facade.gateway.finish_one()
        assert facade.accept(job=job) == job
        assert facade.poll(job).image == b"result"
        assert facade.gateway.store.booked(ACCOUNT) == 1

    def test_repeats_at_the_same_moment_are_one_job(self, facade: Facade) -> None:
        facade.gateway.store.accounts.grant(ACCOUNT, 1)
        name = facade.fresh_name()
        replies = run_at_once(8, lambda _: facade.submit(job=name))
        assert len({str(reply.job) for reply in replies}) == 1
        assert there(facade.gateway.store.accounts.balance(ACCOUNT)).reserved == facade.waiting() == 1
        assert (len(facade.gateway.stored()), len(facade.gateway.hints)) == (1, 1)

    @only(Runware, RemoveBg, Rembg)
    @pytest.mark.parametrize("change", ["picture", "fields"])
    def test_another_request_under_the_same_name_conflicts(self, facade: Facade, change: str) -> None:
        job = facade.accept()
        fields = facade.mask if change == "fields" else {}
        facade.refused(facade.submit(pictures.png(9, 9) if not fields else PNG, job=job, **fields), "conflict")
        assert facade.waiting() == 1

    @only(Picpik)
    def test_another_request_under_the_same_id_is_new_work(self, facade: Facade) -> None:
        """Its clients may send one `request_uuid` with all that they ask."""
        job = facade.accept()
        assert facade.accept(job=job, **facade.mask) != job
        assert facade.waiting() == 2

    def test_what_was_refused_burns_no_name(self, facade: Facade) -> None:
        job = facade.accept()
        facade.gateway.store.accounts.grant(ACCOUNT, 0)
        assert facade.accept(job=job) == job, "what was accepted is paid"
        name = facade.fresh_name()
        facade.refused(facade.submit(job=name), "no credits")
        facade.gateway.store.accounts.grant(ACCOUNT, 1)
        facade.accept(job=name)
        assert facade.waiting() == 2

    def test_a_name_is_its_accounts_own(self, facade: Facade) -> None:
        job = facade.accept()
        facade.other("stranger").accept(job=job)
        assert facade.waiting() == 2


class TestWhoSeesIt:
    @only(Picpik, Runware)
    def test_jobs_of_others_and_jobs_that_have_expired_are_unknown(self, make: Maker) -> None:
        facade = make(retention_seconds=60)
        job = facade.accept()
        facade.gateway.finish_one()
        facade.refused(facade.other("stranger").poll(job), "unknown job")
        assert facade.poll(job).image == b"result"
        facade.clock.advance(60)
        facade.refused(facade.poll(job), "unknown job")

    @only(RemoveBg, Rembg)
    def test_the_request_for_a_result_that_has_expired_is_new_work(self, make: Maker) -> None:
        facade = make(retention_seconds=60)
        job = facade.accept()
        facade.gateway.finish_one()
        facade.clock.advance(60)
        assert facade.poll(job).image is None
        assert facade.waiting() == 1


class TestCallbacks:
    def test_the_account_is_called_once_its_job_has_ended(self, facade: Facade) -> None:
        facade.gateway.accounts.set_callback(ACCOUNT, URL)
        facade.accept()
        facade.accept()
        assert facade.gateway.store.errands.due() == 0
        facade.gateway.finish_one()
        facade.fail("processing_failed")
        for _ in range(2):
            errand = take_errand(facade.gateway.store)
            assert (errand.kind, errand.account, errand.url) == (ErrandKind.CALLBACK, ACCOUNT, URL)
        assert facade.gateway.store.errands.due() == 0

    def test_without_an_address_nobody_is_called(self, facade: Facade) -> None:
        facade.accept()
        facade.gateway.finish_one()
        assert facade.gateway.store.errands.due() == 0
