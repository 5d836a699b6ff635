"""Counts and durations of what the façades answer, whatever carried the request."""

from typing import Final

from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.observe import metrics

OTHER: Final = "other"
"""What a request is counted as that names no action that there is: callers must not make up label values."""


def count_answer(facade: str, action: str, code: int | str, seconds: float) -> None:
    """Count an answer and how long it took."""
    metrics.count(names.REQUESTS, facade=facade, action=action, code=code)
    metrics.observe(names.REQUEST_SECONDS, seconds, facade=facade, action=action)
