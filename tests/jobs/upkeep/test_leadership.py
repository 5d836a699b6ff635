"""One process at a time does a sweep, and another one soon after it has gone."""

import pytest

from cutgate.jobs.upkeep.leadership import Leadership
from tests.jobs.build import Ledger
from tests.waiting import eventually


def test_the_first_leads_and_goes_on_leading(ledger: Ledger) -> None:
    first, second = (Leadership(ledger, "sweep", 30) for _ in range(2))
    assert [first.holds(), second.holds(), first.holds()] == [True, False, True]
    assert Leadership(ledger, "another", 30).holds()


def test_who_does_not_lead_asks_no_more_until_it_may(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    now_seconds = 0.0
    monkeypatch.setattr("cutgate.jobs.upkeep.leadership.time.monotonic", lambda: now_seconds)
    asked: list[float] = []
    lead = ledger.upkeep.lead

    def counted(sweep: str, holder: str, hold_seconds: float) -> float:
        asked.append(now_seconds)
        return lead(sweep, holder, hold_seconds)

    monkeypatch.setattr(ledger.upkeep, "lead", counted)
    assert Leadership(ledger, "sweep", 30).holds()
    follower = Leadership(ledger, "sweep", 30)
    for now_seconds in range(100):  # noqa: B007 — the clock reads it
        assert not follower.holds()
    assert len(asked) - 1 <= 4


def test_a_silent_leader_is_followed(ledger: Ledger) -> None:
    assert ledger.upkeep.lead("sweep", "first", 60) == 0
    assert 0 < ledger.upkeep.lead("sweep", "second", 60) <= 60
    assert ledger.upkeep.lead("sweep", "first", 0.05) == 0
    eventually(lambda: ledger.upkeep.lead("sweep", "second", 60) == 0)
