"""Results owed to lost connections, kept for a while in the ledger's server: one hash a session.

Of a result only its task's id is kept: it is made anew from the record when the caller is back.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from redis import Redis

from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.redis_client import ledger_errors

KEEP_SECONDS: Final = 120.0
"""How long a session outlives its connection."""
RENEW_SECONDS: Final = 30.0
"""How often a connection that lives has to say so."""

_RESUME: Final = """
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'holder', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HGETALL', KEYS[1])
"""
_IF_HELD: Final = "if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end\n"
_OWE: Final = f"""{_IF_HELD}
redis.call('HSETNX', KEYS[1], ARGV[2], redis.call('HINCRBY', KEYS[1], 'last', 1))
return 1
"""
_SETTLE: Final = f"""{_IF_HELD}
for i = 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
"""
_RENEW: Final = """
local holder = redis.call('HGET', KEYS[1], 'holder')
if not holder then
  -- It ended while the server was away: nobody else can have it.
  redis.call('HSET', KEYS[1], 'account', ARGV[3], 'holder', ARGV[1])
elseif holder ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_LEAVE: Final = f"""{_IF_HELD}
for i = 3, #ARGV do redis.call('HSET', KEYS[1], 'oversized:' .. ARGV[i], 1) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection's hold on its session."""

    uuid: str
    holder: str
    """Tells this connection from the one that resumes; whoever opened the session last holds it."""
    account: str


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


class Sessions:
    """Sessions by their UUID. Every method raises `LedgerUnavailable` when the server does not answer in time.

    Every move is one atomic step, and its repeat changes nothing. What a connection that no longer holds its
    session does to it has no effect.
    """

    def __init__(
        self,
        client: Redis,
        *,
        keep_seconds: float = KEEP_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        key_prefix: str = KEY_PREFIX,
    ) -> None:
        #: How often a connection that lives has to say so.
        self.renew_seconds = renew_seconds
        self._client = client
        self._keep_ms = round(keep_seconds * 1_000)
        self._live_ms = round((keep_seconds + renew_seconds) * 1_000)
        self._prefix = key_prefix
        self._resume = client.register_script(_RESUME)
        self._owe = client.register_script(_OWE)
        self._settle = client.register_script(_SETTLE)
        self._renew = client.register_script(_RENEW)
        self._leave = client.register_script(_LEAVE)

    def open(self, account: str, wanted: str | None) -> Opened:
        """Take over a session, or begin one where it is unknown, expired or another account's."""
        resumed = None if wanted is None else self._resumed(account, wanted)
        if resumed is not None:
            return resumed
        session = Session(str(uuid.uuid4()), new_token(), account)
        key = self._key(session)
        with ledger_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping={"account": account, "holder": session.holder})
            pipe.pexpire(key, self._live_ms)
            pipe.execute()
        return Opened(session=session)

    def owe(self, session: Session, uid: TaskUid) -> None:
        """Note that the caller waits for a task's result."""
        with ledger_errors():
            self._owe(keys=[self._key(session)], args=[session.holder, f"owed:{uid}"])

    def keep(self, session: Session, frame: str) -> None:
        """Note an answer that belongs to no task, before it is sent."""
        with ledger_errors():
            self._owe(keys=[self._key(session)], args=[session.holder, f"frame:{frame}"])

    def settle(self, session: Session, uids: Sequence[TaskUid], frames: Sequence[str] = ()) -> None:
        """Note that results and frames have arrived, or will not be sent."""
        names = [f"owed:{uid}" for uid in uids] + [f"frame:{frame}" for frame in frames]
        with ledger_errors():
            self._settle(keys=[self._key(session)], args=[session.holder, *names])

    def renew(self, sessions: Sequence[Session]) -> tuple[bool, ...]:
        """Keep sessions for as long as their connections live; False for one that another connection holds."""
        with ledger_errors(), self._client.pipeline(transaction=False) as pipe:
            for session in sessions:
                arguments: list[str | int] = [session.holder, self._live_ms, session.account]
                self._renew(keys=[self._key(session)], args=arguments, client=pipe)
            return tuple(bool(held) for held in pipe.execute())

    def leave(self, session: Session, oversized: Sequence[str]) -> None:
        """Note that the connection is lost: the session ends after `KEEP_SECONDS` unless it is opened again."""
        with ledger_errors():
            self._leave(keys=[self._key(session)], args=[session.holder, self._keep_ms, *oversized])

    def _resumed(self, account: str, wanted: str) -> Opened | None:
        session = Session(wanted, new_token(), account)
        with ledger_errors():
            kept = self._resume(keys=[self._key(session)], args=[account, session.holder, self._live_ms])
        if kept is None:
            return None
        members = list(zip(kept[::2], kept[1::2], strict=True))
        return Opened(
            session=session,
            owed=tuple(TaskUid(name) for name in _in_order(members, "owed:")),
            frames=_in_order(members, "frame:"),
            oversized=frozenset(_in_order(members, "oversized:")),
        )

    def _key(self, session: Session) -> str:
        return f"{self._prefix}session:{session.uuid}"


def is_session_uuid(text: object) -> bool:
    """Whether a text can be a session's UUID."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _in_order(members: Sequence[tuple[str, str]], start: str) -> tuple[str, ...]:
    """Names of the members of a kind, without what tells the kind, by their number."""
    found = sorted((int(number), name) for name, number in members if name.startswith(start))
    return tuple(name.removeprefix(start) for _, name in found)
