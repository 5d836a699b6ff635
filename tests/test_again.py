"""Tests of CI's runner: what passes at second try is flaky, and what that does not excuse."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import SKIPPED_WITHOUT_LEAVE

PROGRAM = Path(__file__).with_name("again.py")
TESTS = """
import os
import pytest

PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
def test_passing(): pass
"""
FLAKY = "def test_flaky_{0}(): assert not PARALLEL, 'first traceback {0}'\n"
FLAKY_TEARDOWN = """
@pytest.fixture
def torn():
    yield
    assert not PARALLEL, 'first traceback 1'
def test_flaky_1(torn): pass
"""
CRASHING = "def test_flaky_1(): PARALLEL and os.abort()\n"
FAILING = "def test_failing(): assert False, 'broken'\n"
UNIMPORTABLE = "import nothing_of_this_name\n"
UNEXPLAINED_SKIP = "def test_skipped(): pytest.skip('no reason that is known')\n"
NEEDS = """
from tests.needs import Needs
def pytest_configure(config): config.pluginmanager.register(Needs())
"""
ENDING_EARLY = """
import os
def pytest_sessionstart(session):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os._exit({0})
"""


def run(folder: Path, *tests: str, conftest: str = "") -> subprocess.CompletedProcess[str]:
    """Run tests that a folder is given, in another process than pytest's own."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_these.py").write_text(TESTS + "".join(tests))
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(PROGRAM.parents[1])}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, str(PROGRAM), "-p", "xdist", "-n", "1"]
    return subprocess.run(command, cwd=folder, env=kept | own, capture_output=True, text=True, check=False)


def test_tests_that_pass_run_once(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("=")
    assert "1 passed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("flaky", "traceback"),
    [
        ([FLAKY.format(1)], "first traceback 1"),
        ([FLAKY_TEARDOWN], "first traceback 1"),
        ([CRASHING], "crashed while running 'test_these.py::test_flaky_1'"),
        ([FLAKY.format(number) for number in (1, 2, 3)], "first traceback 1"),
    ],
    ids=["one", "teardown", "crash", "three"],
)
def test_what_passes_alone_is_printed_as_flaky(tmp_path: Path, flaky: list[str], traceback: str) -> None:
    done = run(tmp_path, *flaky)
    assert done.returncode == 0
    _, _, report = done.stdout.partition("FLAKY test_these::test_flaky_1\n")
    assert traceback in report
    assert report.splitlines()[-1].startswith(f"1 passed, 0 skipped, {len(flaky)} flaky")


@pytest.mark.parametrize(
    "tests",
    [
        [FAILING],
        [FLAKY.format(1), FAILING],
        [FLAKY.format(number) for number in (1, 2, 3, 4)],
        [UNIMPORTABLE],
    ],
    ids=["failing", "flaky and failing", "four flaky", "not to be collected"],
)
def test_what_is_broken_fails(tmp_path: Path, tests: list[str]) -> None:
    done = run(tmp_path, *tests)
    assert done.returncode == 1
    assert "FLAKY" not in done.stdout


def test_a_skip_without_leave_is_not_excused_by_a_flaky_test(tmp_path: Path) -> None:
    done = run(tmp_path, FLAKY.format(1), UNEXPLAINED_SKIP, conftest=NEEDS)
    assert done.returncode == SKIPPED_WITHOUT_LEAVE


@pytest.mark.parametrize("status", [0, 1])
def test_an_end_without_results_fails(tmp_path: Path, status: int) -> None:
    assert run(tmp_path, conftest=ENDING_EARLY.format(status)).returncode == 1
