"""The trial of engines while a worker has nothing to do, so that no start and no picture waits for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import structlog

from cutgate.worker.models.engines.choice import is_untried
from cutgate.worker.models.engines.prepared import prepared_networks
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import NetworkSettings

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.5
"""How often is looked whether the worker has something to do."""
IDLE_SECONDS: Final = 30.0
"""How long it has nothing to do before a trial begins."""
_COMMAND: Final = (sys.executable, "-P", "-m", "cutgate.worker", "models", "try")
_LOWEST_PRIORITY: Final = 19
_FIRST_TO_KILL: Final = "1000"
"""`oom_score_adj` of what the system ends first when memory runs out: the trial, and not the worker."""


class IdleTrial:
    """Has the engines tried by `models try`, in a process of the lowest priority that the next picture ends.

    It needs as much memory as one more copy of the network. A trial that came to its end is not repeated.

    Args:
        settings: of the worker.
        is_busy: whether the worker has something to do.
        clock: seconds that only grow.
    """

    def __init__(
        self, settings: NetworkSettings, is_busy: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._is_busy, self._clock = settings, is_busy, clock
        self._idle_since = clock()
        self._process: subprocess.Popen[str] | None = None
        self._is_over = False

    def look(self) -> None:
        """Begin a trial, end it, or see what came of it; to be called every `LOOK_SECONDS`."""
        if self._is_busy():
            self._idle_since = self._clock()
            self.close()
        elif self._process is not None:
            self._see_to(self._process)
        elif not self._is_over and self._clock() - self._idle_since >= IDLE_SECONDS:
            self._is_over = not _has_untried(self._settings)
            if not self._is_over:
                self._begin()

    def close(self) -> None:
        """End a trial that is under way."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None
            log.info("engine_trial_put_off")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            _COMMAND,
            env=os.environ | {"CUTGATE_WORKER_MODELS": ",".join(map(str, self._settings.choices))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        log.info("engine_trial_begins")
        with suppress(OSError):  # it may have ended, or this system has none of this
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _LOWEST_PRIORITY)
            Path(f"/proc/{self._process.pid}/oom_score_adj").write_text(_FIRST_TO_KILL, encoding="ascii")

    def _see_to(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            return
        said, _ = process.communicate()
        self._process, self._is_over = None, True
        log.info("engine_trial", exit_status=process.returncode, said=said.strip().splitlines())


def _has_untried(settings: NetworkSettings) -> bool:
    try:
        return os.access(settings.cache_dir, os.W_OK) and any(map(is_untried, prepared_networks(settings)))
    except ModelUnavailable:
        return False
