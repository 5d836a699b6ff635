"""Hints: "there is work in this lane". The ledger, not the message, says what is to be done."""

from typing import Final, Protocol

from cutgate.jobs.spec import Lane

TASK_NAME: Final = "cutgate.run"
"""The one Celery task. Gateways send it by name; it takes a lane."""


class JobQueue(Protocol):
    """Carries hints to workers. A hint may be lost or doubled; neither harms."""

    def hint(self, lane: Lane) -> None:
        """Tell one worker of the lane that there is work.

        Raises:
            LedgerUnavailable: the broker does not answer.
        """

    def pending(self, lane: Lane) -> int:
        """How many of the lane's hints no worker has taken yet.

        Raises:
            LedgerUnavailable: the broker does not answer.
        """

    def trim(self, lane: Lane, count: int) -> None:
        """Leave no more than so many of the lane's hints.

        Raises:
            LedgerUnavailable: the broker does not answer.
        """


def queue_name(lane: Lane) -> str:
    """The broker's queue for a lane."""
    return f"cutgate.{lane}"
