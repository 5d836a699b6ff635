"""The fakes that the package ships, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

from cutgate.jobs import testing
from cutgate.jobs.testing import ManualClock


def test_all_names_every_public_class() -> None:
    public = {name for name, value in vars(testing).items() if isinstance(value, type) and name[0] != "_"}
    assert set(testing.__all__) == public


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(1_000)
    assert (clock(), clock.offset_ms()) == (1_000, 0)
    clock.advance(seconds=1.5)
    clock.advance(seconds=0.25)
    assert (clock(), clock.offset_ms()) == (1_001.75, 1_750)


def test_the_contract_and_the_fakes_load_no_adapter() -> None:
    code = (
        "import sys, cutgate.jobs.ledger.store, cutgate.jobs.settings, cutgate.jobs.testing; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert {"redis", "celery", "kombu", "numpy", "flask"}.isdisjoint(loaded.split())
