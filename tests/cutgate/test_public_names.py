"""What `keycut` offers is what its list says, and it needs nothing that a caller has not installed."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import keycut


def test_list_of_public_names_is_complete() -> None:
    public = [
        name
        for name, value in vars(keycut).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    ]
    assert keycut.__all__ == sorted(public)


def test_the_command_loads_no_part_of_the_service() -> None:
    code = "import sys, keycut.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"gateway", "worker", "jobs", "flask", "celery", "numpy", "PIL", "redis", "valkey"}.isdisjoint(loaded)
