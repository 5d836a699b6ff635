"""What `cutgate` offers is what its list says, and it needs nothing that a caller has not installed."""

import subprocess
import sys

import cutgate


def test_list_of_public_names_is_complete() -> None:
    assert cutgate.__all__ == sorted(cutgate.__all__)
    assert all(getattr(cutgate, name).__name__ == name for name in cutgate.__all__)
    assert not hasattr(cutgate, "NoSuchName")


def test_the_command_loads_no_part_of_the_service() -> None:
    code = "import sys, cutgate.commands.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    parts = {"cutgate.gateway", "cutgate.worker", "cutgate.jobs"}
    assert (parts | {"flask", "celery", "numpy", "PIL", "redis", "valkey"}).isdisjoint(loaded)
