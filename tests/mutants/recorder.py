"""A plugin of pytest that writes down how each test went, and runs only tests that are named.

It stands alone, since it is also loaded beside the tests of other checkouts.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

REPORT = Path(os.environ["CUTGATE_MUTANTS_REPORT"])
TESTS = Path(os.environ["CUTGATE_MUTANTS_TESTS"])
"""A file with the names of the tests to run; all where there is none."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the named tests."""
    if TESTS.exists():
        names = set(json.loads(TESTS.read_text()))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in names])
        items[:] = [item for item in items if item.nodeid in names]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Attribute the lines that run to this test."""
    _note(item.nodeid, "started", 0.0)
    _attribute(item.nodeid)
    yield
    _attribute("")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Attribute what several tests share to none of them."""
    if fixturedef.scope != "function":
        _attribute("")
    try:
        return (yield)
    finally:
        if fixturedef.scope != "function":
            _attribute(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a part of a test went."""
    _note(report.nodeid, report.outcome, report.duration)


def _attribute(context: str) -> None:
    running = Coverage.current()
    if running is not None:
        running.switch_context(context)


def _note(test: str, outcome: str, seconds: float) -> None:
    with REPORT.open("a", encoding="utf-8") as file:
        file.write(json.dumps([test, outcome, seconds]) + "\n")
