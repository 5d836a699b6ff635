"""Hints: "there is work in this lane". The ledger, not the message, says what is to be done.

The ledger's scripts send them in the step that has an item wait (`lua/shared/hints.lua`), as messages of this
task. One may be lost or doubled; neither harms.
"""

from typing import Final

from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.spec import Lane

TASK_NAME: Final = "cutgate.run"
"""The one Celery task. It takes a lane."""


def queue_name(lane: Lane) -> str:
    """The broker's queue for a lane, and the key of its list: among the ledger's keys, in their slot."""
    return f"{KEY_PREFIX}hints:{lane}"
