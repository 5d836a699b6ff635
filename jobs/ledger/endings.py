"""Why an item fails without its worker's word, or is not accepted."""

from __future__ import annotations

from typing import Final

from cutgate.jobs.errors import Terminated, TimedOut, WorkerLost
from cutgate.jobs.record import ErrorFacts

TERMINATED: Final = Terminated("the task was terminated").facts()
TOO_SLOW: Final = TimedOut("the picture took longer than the service allows").facts()
TOO_LATE: Final = TimedOut("the picture waited longer than the service allows").facts()
SOURCE_TOO_OLD: Final = "the pictures were uploaded too long ago; send them again"


def worker_lost(attempts: int) -> ErrorFacts:
    """The attempts are used up, and none came to an end."""
    return WorkerLost(f"the picture's worker died in each of {attempts} attempts", attempts=attempts).facts()
