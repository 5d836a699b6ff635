"""Errors: what tells them apart in records, and what they say."""

from collections.abc import Iterator

import pytest

from cutgate.jobs.errors import CutoutError, QueueFull, SourceTooLarge


def every_error(error: type[CutoutError] = CutoutError) -> Iterator[type[CutoutError]]:
    yield error
    for child in error.__subclasses__():
        yield from every_error(child)


def test_every_error_has_a_kind_of_its_own() -> None:
    kinds = [error.kind for error in every_error()]
    assert len(set(kinds)) == len(kinds)


def test_facts_cross_the_ledger() -> None:
    facts = SourceTooLarge("pixels", 60, 50).facts()
    assert (facts.kind, facts.details) == ("source_too_large", {"measure": "pixels", "value": 60, "limit": 50})
    assert facts.message == "the picture has 60 pixels, the limit is 50"
    full = QueueFull("account", 7, 8, over=1, ends_per_second=0)
    assert full.facts().details == {"scope": "account", "queued": 7, "cap": 8}


@pytest.mark.parametrize(
    ("over", "ends_per_second", "seconds"),
    [(1, 0, None), (1, 50, 1), (7, 2, 4), (600, 1, 600), (601, 1, 600), (1, 1e-9, 600), (500, 1e-320, 600)],
)
def test_a_full_queue_says_when_there_is_room(over: int, ends_per_second: float, seconds: int | None) -> None:
    assert QueueFull("service", 9, 9, over=over, ends_per_second=ends_per_second).retry_after_seconds == seconds
