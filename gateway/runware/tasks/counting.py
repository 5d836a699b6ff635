"""What is told of every answer to a task object, each once and over every transport: a count and a line."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import structlog

from cutgate.gateway.observe.metrics import count_answer
from cutgate.gateway.runware.messages.answers import Outcome
from cutgate.gateway.runware.messages.parsing import PING
from cutgate.gateway.runware.tasks.table import shown, task_type_of

OK: Final = "ok"
"""What stands for the code where the answer is no error."""
_LOG: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that has come, and whose answers are told."""

    at_seconds: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""

    def answered(self, outcome: Outcome) -> None:
        """Tell that a task of the message, or the whole message, is answered."""
        seconds = time.monotonic() - self.at_seconds
        task_type = outcome.asked or task_type_of(outcome.item)
        code = str(outcome.item["code"]) if outcome.failed else OK
        count_answer("runware", task_type, code, seconds)
        known = {} if outcome.uid is None else {"task_uid": outcome.uid}
        # A connection that idles sends pings all the time.
        tell = _LOG.debug if task_type == PING else _LOG.info
        tell(
            "task_answered",
            task_type=task_type,
            task_uuid=shown(outcome.item.get("taskUUID")),
            code=code,
            duration_ms=round(seconds * 1_000),
            **known,
        )
