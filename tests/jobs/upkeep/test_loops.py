"""Threads that outlive what goes wrong."""

import threading

import pytest
from structlog.testing import capture_logs

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.upkeep.loops import Every

ENOUGH = 6


def run_until_called(outcomes: dict[int, Exception]) -> list[str]:
    """Call a function a few times that fails at some of them, and return the log's events."""
    calls, enough = iter(range(1, 10_000)), threading.Event()

    def call() -> None:
        number = next(calls)
        if number > ENOUGH:
            enough.set()
        if number in outcomes:
            raise outcomes[number]

    with capture_logs() as logs, Every(0.001, call, "test"):
        assert enough.wait(5)
    return [entry["event"] for entry in logs]


def test_an_outage_is_logged_once_and_its_end_too() -> None:
    away = LedgerUnavailable("restarting")
    assert run_until_called({2: away, 3: away, 4: away}) == ["service_away", "service_back"]


def test_the_next_outage_is_another() -> None:
    away = LedgerUnavailable("restarting")
    assert run_until_called({1: away, 3: away, 4: away}) == ["service_away", "service_back"] * 2


def test_no_fault_ends_the_loop() -> None:
    assert run_until_called({1: ZeroDivisionError()}) == ["loop_failed"]


@pytest.mark.parametrize("at_once", [False, True])
def test_the_first_call_comes_after_a_pause_or_at_once(at_once: bool) -> None:
    called = threading.Event()
    with Every(60, called.set, "test", at_once=at_once):
        assert called.wait(5 if at_once else 0.05) is at_once


def test_closing_wakes_the_thread() -> None:
    loop = Every(60, lambda: None, "sleeper")
    with loop:
        assert "sleeper" in {thread.name for thread in threading.enumerate()}
    assert "sleeper" not in {thread.name for thread in threading.enumerate()}
