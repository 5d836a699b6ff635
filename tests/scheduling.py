"""Which tests are long, which share a process of a parallel run, and which of them begin.

A file stays in one process, for the sake of its fixtures. All files on the shared stack stay in one, so that there
is one such stack. What takes longest begins, since a run ends with its last file.
"""

from pathlib import Path
from typing import Any, Final

import pytest
from typing_extensions import override
from xdist.scheduler import LoadScopeScheduling

ON_THE_STACK: Final = (
    "tests/browser/",
    "tests/cutgate/commands/test_part_groups",
    "tests/deploy/kubernetes/",
    "tests/docs/",
    "tests/end_to_end/test_",
)
"""Files whose tests use the shared stack, by the beginnings of their names."""
FIRST: Final = (
    "tests/chaos/",
    "tests/hostile/",
    "tests/simulator/",
    *ON_THE_STACK,
    "tests/worker/process/",
    "tests/clients/",
    "tests/deploy/test_compose_run",
    "tests/end_to_end/observed/",
    "tests/cutgate/",
    "tests/courier/",
    "tests/gateway/",
    "tests/worker/",
)
"""Files by the beginnings of their names, the longest first."""


LONG: Final = ("tests/browser", "tests/clients")
"""Folders of long tests. `-m "not long"` does not even read them, since what they import takes long."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
    """Gives a process all tests of a file, or all on the stack."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith(ON_THE_STACK) else nodeid.partition("::")[0]


class Scheduling:
    """The part of a run that shares tests out to processes."""

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Pass over folders with long tests alone in a run without those."""
        place = collection_path.relative_to(config.rootpath).as_posix()
        return True if place in LONG and config.option.markexpr == "not long" else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the longest files first."""
        for item in items:
            if item.nodeid.startswith(LONG):
                item.add_marker("long")
        items.sort(key=lambda item: _rank(item.nodeid))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> ByFile:
        """Share out by file."""
        return ByFile(config, log)


def _rank(name: str) -> int:
    return next((rank for rank, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))
