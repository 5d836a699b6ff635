"""Tests of `python -m tests.mutants`: which mutants are killed, by which tests, and two suites compared."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.mutate import mutants

ROOT = Path(__file__).parents[2]
PRODUCT = '''
"""Text with 3 numbers."""
LIMIT: int = 10

def admits(count):
    return count < LIMIT

def untested(count):
    if count and not LIMIT:
        print(count)
'''
TESTS = """
import pytest
from jobs.limits import admits

@pytest.fixture(scope="session")
def shared():
    return admits(0)

def test_far_below_the_limit(shared):
    assert shared and admits(1)

def test_at_the_limit():
    assert not admits(10)

def test_broken_from_the_start():
    assert False
"""
WEAKER = TESTS.replace("assert not admits(10)", "admits(10)")


def written(tree: Path, tests: str) -> Path:
    for name, text in {"jobs/limits.py": PRODUCT, "tests/jobs/test_limits.py": tests}.items():
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text(text)
    return tree


def run(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    places = ["--tree", str(tree), "--report", str(tree / "matrix.json"), "--kept", str(tree / "kept")]
    command = [sys.executable, "-m", "tests.mutants", "--under", "jobs", "--count", "99", *places, *options]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "XDG_CACHE_HOME": str(tree / "none")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def killers(tree: Path, kind: str, before: str) -> dict[str, list[str]]:
    """Names of the tests that fail for a mutant, by suite."""
    matrix: list[dict[str, Any]] = json.loads((tree / "matrix.json").read_text())
    (row,) = (row for row in matrix if (row["kind"], row["before"]) == (kind, before))
    return {suite: [name.rpartition("::")[2] for name in failed] for suite, failed in row["failed"].items()}


def test_kinds_of_mutants(tmp_path: Path) -> None:
    tree = written(tmp_path, TESTS)
    assert [
        (each.line, each.kind, each.before, each.after) for each in mutants(tree, tree / "jobs/limits.py")
    ] == [
        (3, "constant", "10", "(11)"),
        (6, "early return", "return count < LIMIT", "return None"),
        (6, "comparison", "count < LIMIT", "(count <= LIMIT)"),
        (9, "boolean", "count and not LIMIT", "(count or not LIMIT)"),
        (9, "boolean", "not LIMIT", "(LIMIT)"),
        (10, "dropped call", "print(count)", "pass"),
    ]


@pytest.mark.long
def test_a_kill_matrix_holds_every_test_that_fails(tmp_path: Path) -> None:
    tree = written(tmp_path, TESTS)
    done = run(tree)
    assert done.returncode == 0, done.stderr
    assert killers(tree, "early return", "return count < LIMIT") == {"new": ["test_far_below_the_limit"]}
    assert killers(tree, "comparison", "count < LIMIT") == {"new": ["test_at_the_limit"]}
    assert killers(tree, "constant", "10") == {"new": ["test_at_the_limit"]}
    assert killers(tree, "dropped call", "print(count)") == {"new": []}
    assert "new             6        3        3           3" in done.stdout
    assert (tree / "jobs/limits.py").read_text() == PRODUCT


@pytest.mark.long
def test_mutants_that_only_the_other_suite_kills_fail_the_run(tmp_path: Path) -> None:
    tree, other = written(tmp_path / "new", WEAKER), written(tmp_path / "old", TESTS)
    done = run(tree, "--against", str(other), "--jobs", "2")
    assert done.returncode == 1
    assert killers(tree, "comparison", "count < LIMIT") == {"new": [], "old": ["test_at_the_limit"]}
    assert "Only the other tests kill jobs/limits.py:6 count < LIMIT -> (count <= LIMIT)" in done.stdout


@pytest.mark.long
def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    tree = written(tmp_path, TESTS)
    run(tree, "--count", "2")
    matrix = (tree / "matrix.json").read_text()
    assert len(json.loads(matrix)) == 2
    run(tree, "--count", "2")
    assert (tree / "matrix.json").read_text() == matrix


@pytest.mark.long
def test_a_mutant_that_never_ends_is_killed(tmp_path: Path) -> None:
    tree = written(tmp_path, TESTS)
    endless = "def admits(count):\n    while count > 9:\n        count = count\n    return True\n"
    (tree / "jobs/limits.py").write_text(endless)
    (tree / "tests/jobs/test_limits.py").write_text(TESTS.replace("not admits(10)", "admits(9)"))
    run(tree, "--timeout", "2")
    assert killers(tree, "comparison", "count > 9") == {"new": ["test_at_the_limit"]}
