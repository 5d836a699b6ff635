"""What some tests need and not every machine has, and the end of a run that tolerates no other skip.

A test says `@pytest.mark.needs("buildah")`. Where that is missing it is skipped; a run prints how many were, for
want of what, and fails when one was skipped for any other reason.
"""

import functools
import os
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

MINIO_VARIABLE: Final = "CUTGATE_TEST_MINIO_URL"
"""Address of a MinIO, `http://user:password@host:port`, that the S3 tests may make buckets in."""


ENGINE_VARIABLE: Final = "CUTGATE_TEST_ENGINE"
"""Set by `make compose-check`, which fails where no engine can be had: what was asked for is not skipped."""

SKIPPED_WITHOUT_LEAVE: Final = 6
"""Exit status of a run with a skip that nobody allowed, whatever else failed: pytest's own end at 5."""

NO_MOUNT: Final = "no file system can be mounted here"
"""The one skip that a fixture decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that a machine has or has not."""

    reason: str
    is_here: Callable[[], bool]


def _answers(*command: str) -> bool:
    """Whether a program is here and ends well."""
    found = shutil.which(command[0]) is not None
    return found and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _has_kustomize() -> bool:
    """Whether there is a kubectl that is not too old to name the kustomize in it."""
    if shutil.which("kubectl") is None:
        return False
    command = ["kubectl", "version", "--client", "--output", "json"]
    return "kustomizeVersion" in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _npm_has_helm() -> bool:
    return shutil.which("npm") is not None and (platform.system(), platform.machine()) == ("Linux", "x86_64")


def _is_on_the_path(program: str) -> Callable[[], bool]:
    return lambda: shutil.which(program) is not None


THINGS: Final = {
    "gpu": Thing(
        reason="no NVIDIA GPU answers, or this onnxruntime has no CUDA",
        is_here=lambda: _answers("nvidia-smi", "-L") and _has_cuda(),
    ),
    "engine": Thing(
        reason="only `make compose-check` runs a Docker Engine", is_here=lambda: ENGINE_VARIABLE in os.environ
    ),
    "minio": Thing(reason=f"{MINIO_VARIABLE} names no MinIO", is_here=lambda: MINIO_VARIABLE in os.environ),
    "no gpu": Thing(reason="this onnxruntime has CUDA", is_here=lambda: not _has_cuda()),
    "bf16": Thing(reason="this processor has no bf16", is_here=lambda: _has_bf16()),
    "two processors": Thing(
        reason="a quota of one processor shows nothing on a single one",
        is_here=lambda: (os.cpu_count() or 1) > 1,
    ),
    "glibc": Thing(reason="a setting of glibc", is_here=lambda: platform.libc_ver()[0] == "glibc"),
    "python3.11": Thing(
        reason="no python3.11 runs here", is_here=lambda: _answers("python3.11", "-m", "venv", "-h")
    ),
    "python3.14": Thing(
        reason="no python3.14 runs here", is_here=lambda: _answers("python3.14", "-m", "venv", "-h")
    ),
    "promtool": Thing(reason="promtool is not on the path", is_here=_is_on_the_path("promtool")),
    "npm": Thing(reason="npm is not on the path", is_here=_is_on_the_path("npm")),
    "kubectl": Thing(reason="no kubectl with kustomize's components is here", is_here=_has_kustomize),
    "helm": Thing(
        reason="helm is not on the path, and npm has it only for Linux on x86-64",
        is_here=lambda: shutil.which("helm") is not None or _npm_has_helm(),
    ),
    "dpkg": Thing(reason="packages here are not Debian's", is_here=_is_on_the_path("dpkg-query")),
    "curl": Thing(reason="curl is not installed", is_here=_is_on_the_path("curl")),
}


def _has_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _has_bf16() -> bool:
    from cutgate.worker.machine.cpu import this_processor

    return this_processor().has_bf16


class Needs:
    """The part of a test run that skips what cannot run here, and lets nothing else be skipped."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Skip the tests whose thing is missing."""
        here = functools.cache(lambda name: THINGS[name].is_here())
        for item in items:
            for marker in item.iter_markers("needs"):
                (name,) = marker.args
                if not here(name):
                    item.add_marker(pytest.mark.skip(reason=THINGS[name].reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a skip by its reason; from another process it comes as a list."""
        if report.skipped and isinstance(report.longrepr, tuple | list):
            self._reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1

    def faults(self) -> list[str]:
        """What is wrong with the skips of this run."""
        known = {NO_MOUNT, *(thing.reason for thing in THINGS.values())}
        return [f"skipped without leave: {reason}" for reason in self._reasons if reason not in known]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run with a skip that nobody allowed, and only such a one."""
        if self.faults() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = SKIPPED_WITHOUT_LEAVE

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was not tested here."""
        terminalreporter.section("not tested on this machine")
        for reason, count in sorted(self._reasons.items()):
            terminalreporter.line(f"{count:4}  {reason}")
        terminalreporter.line(f"{self._reasons.total():4}  tests skipped in all")
        for fault in self.faults():
            terminalreporter.line(fault, red=True)
