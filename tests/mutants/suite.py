"""A test suite in a copy of a tree: what each test covers, and which tests fail when a file is changed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import cache_from_source
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Final

from coverage import CoverageData

from tests.mutants.mutate import Mutant

LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", ".cache", "out", "__pycache__", "*.egg-info", ".hypothesis", ".mypy_cache", ".pytest_cache"
)
NETWORKS: Final = ("graphs", "models")
"""Folders of the user's cache."""
START_SECONDS: Final = 60.0
SLOWER: Final = 4.0
"""How many times its usual time a run may take until it counts as hung."""
END_SECONDS: Final = 10.0
PYTEST: Final = ("-m", "pytest", "-q", "-p", "recorder", "-p", "timeout", "-m", "not long", "--maxfail", "0")
NOT_STARTED: Final = "no test could start"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of tests went."""

    failed: frozenset[str]
    passed: frozenset[str]
    seconds: dict[str, float]


class Copy:
    """A copy of a tree in which files are changed and tests run.

    Args:
        folder: for the copy; it need not exist.
        tree: with the product.
        tests: with the tests, where they are not the tree's.
        timeout_seconds: of a test.
    """

    def __init__(self, folder: Path, tree: Path, tests: Path, timeout_seconds: int) -> None:
        self.root, self._temporary, self._cache = folder / "tree", folder / "tmp", folder / "cache"
        self._timeout_seconds = timeout_seconds
        shutil.copytree(tree, self.root, symlinks=True, ignore=LEFT_OUT)
        shutil.rmtree(self.root / "tests")
        shutil.copytree(tests / "tests", self.root / "tests", symlinks=True, ignore=LEFT_OUT)
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cutgate"
        # A mutant must not write into the user's networks. Beside them may lie whole engines.
        for part in NETWORKS:
            if (cache / part).exists():
                shutil.copytree(cache / part, self._cache / "cutgate" / part)

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Have a file mutated for a block."""
        path = self.root / mutant.path
        source, times = path.read_bytes(), (path.stat().st_atime, path.stat().st_mtime)
        compiled = Path(cache_from_source(str(path)))
        compiled.unlink(missing_ok=True)
        path.write_bytes(mutant.applied(source))
        try:
            yield
        finally:
            path.write_bytes(source)
            os.utime(path, times)
            compiled.unlink(missing_ok=True)

    def run(self, tests: Collection[str], seconds: float) -> Outcome:
        """Run tests by name, all of them whatever fails."""
        files = sorted({name.partition("::")[0] for name in tests})
        timeout = ("--timeout", str(self._timeout_seconds))
        return self.python([*PYTEST, *timeout, *files], tests, START_SECONDS + SLOWER * seconds)

    def python(self, words: Sequence[str], tests: Collection[str] | None, limit: float | None) -> Outcome:
        """Run pytest; what still runs at the limit has failed."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        report, named = self._temporary / "report.jsonl", self._temporary / "tests.json"
        report.touch()
        if tests is not None:
            named.write_text(json.dumps(sorted(tests)))
        environment = os.environ | {
            "PYTHONPATH": f"{self.root}{os.pathsep}{Path(__file__).parent}",
            "TMPDIR": str(self._temporary),
            "XDG_CACHE_HOME": str(self._cache),
            "XDG_DATA_HOME": str(self._temporary),
            "CUTGATE_MUTANTS_REPORT": str(report),
            "CUTGATE_MUTANTS_TESTS": str(named),
            "CUTGATE_TEST_SEED": "1",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with (self._temporary / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            _end(process, limit)
        return _read(report, may_be_empty=not tests)


def _end(process: subprocess.Popen[bytes], limit: float | None) -> None:
    """Wait for a process, which is first asked to end at the limit and then made to, with its children."""
    for seconds, ending in ((limit, signal.SIGINT), (END_SECONDS, signal.SIGKILL)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
        os.killpg(process.pid, ending)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(report: Path, *, may_be_empty: bool) -> Outcome:
    """A test failed if a part of it did or if it never came to its end."""
    outcomes, seconds = defaultdict[str, list[str]](list), defaultdict[str, float](float)
    for line in report.read_text(encoding="utf-8").splitlines():
        test, outcome, duration = json.loads(line)
        outcomes[test].append(outcome)
        seconds[test] += duration
    failed = {test for test, parts in outcomes.items() if "failed" in parts or _is_cut_off(parts)}
    if not outcomes and not may_be_empty:
        failed = {NOT_STARTED}
    passed = {test for test, parts in outcomes.items() if set(parts) == {"started", "passed"}} - failed
    return Outcome(frozenset(failed), frozenset(passed), dict(seconds))


def _is_cut_off(parts: Sequence[str]) -> bool:
    """Whether a test did not come through setup, call and teardown, and was not skipped."""
    return "skipped" not in parts and len(parts) < 4


class Suite:
    """What each test of a tree covers; measured once and kept.

    Args:
        copy: of the tree, unchanged.
        kept: folder for what was measured.
        parts: folders of the product, and of `tests/`.
    """

    def __init__(self, copy: Copy, kept: Path, parts: Sequence[str]) -> None:
        kept.mkdir(parents=True, exist_ok=True)
        self._root = copy.root
        self._seconds: dict[str, float] = {}
        self._tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for part in parts:
            data, outcome = kept / f"{part}.coverage", kept / f"{part}.json"
            if not outcome.exists():
                words = ["-m", "coverage", "run", "--include", f"{copy.root}/*", "--omit", f"{copy.root}/tests/*"]
                run = copy.python([*words, "--data-file", str(data), *PYTEST, f"tests/{part}"], None, None)
                usual = {test: run.seconds[test] for test in sorted(run.passed)}
                outcome.write_text(json.dumps({"seconds": usual, "covered": _covered(data, copy.root)}))
                data.unlink()
            stored = json.loads(outcome.read_text())
            self._seconds |= stored["seconds"]
            for name, files in stored["covered"].items():
                for path, lines in files.items():
                    for line in lines:
                        self._tests[path][line].add(name)

    def tests_of(self, mutant: Mutant, seconds: float) -> list[str]:
        """Tests that run a mutant's line, those of its folder and quick ones first, as many as take so long.

        Code that runs before the tests, or in processes that they start, is covered by the tests of its folder.
        """
        lines = self._tests[mutant.path]
        names = lines[mutant.line] if mutant.in_function else set[str]().union(*lines.values())
        folder = self._folder(mutant.path)
        if not names or "" in names:
            names = names | {name for name in self._seconds if name.startswith(folder)}
        known = names & set(self._seconds)
        nearest = sorted(known, key=lambda name: (not name.startswith(folder), self._seconds[name], name))
        totals = accumulate(self._seconds[name] for name in nearest)
        return [name for name, total in zip(nearest, totals, strict=True) if total <= seconds] or nearest[:1]

    def seconds_of(self, tests: Collection[str]) -> float:
        """How long tests usually take."""
        return sum(self._seconds[name] for name in tests)

    def _folder(self, path: str) -> str:
        """The folder of tests that mirrors a module's."""
        folder = PurePosixPath("tests", path).parent
        while not (self._root / folder).exists():
            folder = folder.parent
        return f"{folder}/"


def _covered(data: Path, root: Path) -> dict[str, dict[str, list[int]]]:
    """Lines by test and file; the test without a name stands for what ran before one."""
    measured = CoverageData(str(data))
    measured.read()
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for file in measured.measured_files():
        for line, tests in measured.contexts_by_lineno(file).items():
            for test in tests:
                found[test][Path(file).relative_to(root.resolve()).as_posix()].append(line)
    return found
