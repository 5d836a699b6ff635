"""Which tests share a process of a parallel run, and which of them begin.

A file stays in one process, for the sake of its fixtures. All files on the shared stack stay in one, so that there
is one such stack. What takes longest begins, since a run ends with its last file.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import pytest

STACK: Final = "stack"
FIRST: Final = (
    "tests/chaos/",
    STACK,
    "tests/worker/process/test_stop",
    "tests/worker/process/test_several_at_work",
    "tests/worker/process/",
    "tests/deploy/test_compose_run",
    "tests/cutgate/",
    "tests/courier/",
    "tests/gateway/serving/",
    "tests/gateway/commands/",
)
"""Groups by the beginnings of their names, the longest first."""


class Scheduling:
    """The part of a run that gives each test its group; `--dist loadgroup` does the rest."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Group by file, and put the longest groups first.

        No `nodeid` is asked for here: pytest keeps the first answer, and xdist could not add the group to it.
        """
        files: defaultdict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            files[item.path.relative_to(item.config.rootpath).as_posix()].append(item)
        for file, tests in files.items():
            group = STACK if any("stack" in getattr(test, "fixturenames", ()) for test in tests) else file
            for test in tests:
                test.add_marker(pytest.mark.xdist_group(group))
        items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    group: str = next(item.iter_markers("xdist_group")).args[0]
    return next((rank for rank, start in enumerate(FIRST) if group.startswith(start)), len(FIRST))
