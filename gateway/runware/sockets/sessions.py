"""What a lost connection is owed, kept for a while where every gateway process finds it.

Of a result only its task's id is kept: it is made anew from the record when the caller is back.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cutgate.jobs.ids import TaskUid, new_token

KEEP_SECONDS: Final = 120.0
"""How long a session outlives its connection."""
RENEW_SECONDS: Final = 30.0
"""How often a connection that lives has to say so."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection's hold on its session."""

    uuid: str
    holder: str
    """Tells this connection from the one that resumes; whoever opened the session last holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The answer of `open`."""

    session: Session
    owed: tuple[TaskUid, ...] = ()
    """Tasks whose results were not delivered, in the order in which they were accepted."""
    frames: tuple[str, ...] = ()
    """Answers that belong to no task and were not delivered, oldest first."""
    oversized: frozenset[str] = frozenset()
    """`taskUUID`s, in lower case, whose result the caller's side refused as too long."""


class Sessions(Protocol):
    """Sessions by their UUID. Every method raises `LedgerUnavailable` when the server does not answer in time.

    What a connection that no longer holds its session does to it has no effect.
    """

    def open(self, account: str, wanted: str | None) -> Opened:
        """Take over a session, or begin one.

        Args:
            account: who is there.
            wanted: the session's UUID; one that is unknown, expired or another account's gives a fresh one.
        """

    def owe(self, session: Session, uid: TaskUid) -> None:
        """Note that the caller waits for a task's result."""

    def settle(self, session: Session, uids: Sequence[TaskUid], frames: Sequence[str] = ()) -> None:
        """Note that results and frames have arrived, or will not be sent."""

    def renew(self, sessions: Sequence[Session]) -> tuple[bool, ...]:
        """Keep sessions for as long as their connections live; False for one that another connection holds."""

    def leave(self, session: Session, frames: Sequence[str], oversized: Sequence[str]) -> None:
        """Note that the connection is lost: the session ends after `KEEP_SECONDS` unless it is opened again.

        Args:
            session: what it held.
            frames: answers that belong to no task and were not delivered.
            oversized: as in `Opened`.
        """


def is_session_uuid(text: object) -> bool:
    """Whether a text can be a session's UUID."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False


def new_session() -> Session:
    """A session that nobody can guess."""
    return Session(str(uuid.uuid4()), new_token())
