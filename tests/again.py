"""A test run for CI: a test that fails and then passes alone is flaky, and does not fail the run.

A run fails if a test fails twice, if more than `MOST_FLAKY` tests fail at first, or if anything but a test goes
wrong: a collection error, a skip without leave, an end of pytest without results.

    python tests/again.py ARGUMENTS OF PYTEST
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

MOST_FLAKY: Final = 3
TESTS_FAILED: Final = 1
"""pytest's exit status where tests failed, and nothing else."""


class Runs:
    """Runs of pytest with one cache and one seed."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._arguments, self._folder = arguments, folder
        # What a seed broke once it breaks again.
        self._environment = {"CUTGATE_TEST_SEED": str(secrets.randbelow(10**9))} | os.environ

    def run(self, results: str, *options: str) -> int:
        """Run pytest, which prints as usual; its exit status."""
        places = ["-o", f"cache_dir={self._folder / 'cache'}", f"--junitxml={self._folder / results}"]
        command = [sys.executable, "-m", "pytest", *self._arguments, *places, *options]
        return subprocess.run(command, env=self._environment, check=False).returncode

    def has(self, results: str) -> bool:
        """Whether pytest came to its end and wrote its results."""
        return (self._folder / results).exists()

    def failed(self) -> list[str]:
        """Ids of the tests and modules that failed and have not passed since."""
        path = self._folder / "cache" / "v" / "cache" / "lastfailed"
        return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []

    def counts(self, results: str) -> str:
        """Number of tests by outcome."""
        suites = ElementTree.parse(self._folder / results).getroot().iter("testsuite")
        (suite,) = suites
        count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        passed = count["tests"] - count["failures"] - count["errors"] - count["skipped"]
        return f"{passed} passed, {count['skipped']} skipped"

    def tracebacks(self, results: str) -> list[str]:
        """Name and traceback of each test that failed."""
        return [
            f"FLAKY {test.get('classname')}::{test.get('name')}\n{fault.text}"
            for test in ElementTree.parse(self._folder / results).getroot().iter("testcase")
            for fault in test
            if fault.tag in ("failure", "error")
        ]


def verdict(runs: Runs) -> int:
    """Run the tests, and those that failed once more, alone and in one process."""
    status = runs.run("first.xml")
    if not runs.has("first.xml"):
        return status or TESTS_FAILED
    failed = runs.failed()
    are_tests = all("::" in name for name in failed)  # and not modules that cannot be imported
    if status != TESTS_FAILED or not failed or not are_tests:
        return status
    if len(failed) > MOST_FLAKY:
        print(f"More than {MOST_FLAKY} tests failed; none is run again.")  # noqa: T201
        return status
    print(f"\nRunning {len(failed)} failed once more, alone:", *failed, sep="\n  ", flush=True)  # noqa: T201
    if (again := runs.run("again.xml", "-n", "0", "--last-failed", "--last-failed-no-failures=none")) != 0:
        return again
    if runs.failed():
        return status
    tracebacks = runs.tracebacks("first.xml")
    print("", *tracebacks, sep="\n")  # noqa: T201
    print(f"{runs.counts('first.xml')}, {len(failed)} flaky: failed at first and passed alone.")  # noqa: T201
    return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cutgate-again-") as place:
        sys.exit(verdict(Runs(sys.argv[1:], Path(place))))
