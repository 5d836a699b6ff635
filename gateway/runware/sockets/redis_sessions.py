"""Sessions in the ledger's server: one hash for each, which the server forgets by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from redis import Redis
from typing_extensions import override

from cutgate.gateway.runware.sockets.sessions import (
    KEEP_SECONDS,
    RENEW_SECONDS,
    Opened,
    Session,
    Sessions,
    new_session,
)
from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.redis.client import ledger_errors

_RESUME: Final = """
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return nil end
redis.call('HSET', KEYS[1], 'holder', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('HGETALL', KEYS[1])
"""
_IF_HELD: Final = "if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end\n"
_OWE: Final = (
    _IF_HELD
    + """
redis.call('HSETNX', KEYS[1], 'owed:' .. ARGV[2], redis.call('HINCRBY', KEYS[1], 'last', 1))
return 1
"""
)
_SETTLE: Final = (
    _IF_HELD
    + """
for i = 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
"""
)
_RENEW: Final = _IF_HELD + "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
_LEAVE: Final = (
    _IF_HELD
    + """
for i = 4, #ARGV do
  if i < 4 + ARGV[3] then
    redis.call('HSET', KEYS[1], 'frame:' .. ARGV[i], redis.call('HINCRBY', KEYS[1], 'last', 1))
  else redis.call('HSET', KEYS[1], 'oversized:' .. ARGV[i], 1) end
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)


class RedisSessions(Sessions):
    """Every move is one atomic step, and its repeat changes nothing."""

    def __init__(self, client: Redis, *, keep_seconds: float = KEEP_SECONDS, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server.

        Args:
            client: from `cutgate.jobs.ledger.redis.client.connect`.
            keep_seconds: how long a session outlives its connection.
            key_prefix: of the hashes' names.
        """
        self._client = client
        self._keep_ms = round(keep_seconds * 1_000)
        self._live_ms = round((keep_seconds + RENEW_SECONDS) * 1_000)
        self._prefix = key_prefix
        self._resume = client.register_script(_RESUME)
        self._owe = client.register_script(_OWE)
        self._settle = client.register_script(_SETTLE)
        self._renew = client.register_script(_RENEW)
        self._leave = client.register_script(_LEAVE)

    @override
    def open(self, account: str, wanted: str | None) -> Opened:
        resumed = None if wanted is None else self._resumed(account, wanted)
        if resumed is not None:
            return resumed
        session = new_session()
        key = self._key(session)
        with ledger_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.hset(key, mapping={"account": account, "holder": session.holder})
            pipe.pexpire(key, self._live_ms)
            pipe.execute()
        return Opened(session=session)

    @override
    def owe(self, session: Session, uid: TaskUid) -> None:
        with ledger_errors():
            self._owe(keys=[self._key(session)], args=[session.holder, uid])

    @override
    def settle(self, session: Session, uids: Sequence[TaskUid], frames: Sequence[str] = ()) -> None:
        names = [f"owed:{uid}" for uid in uids] + [f"frame:{frame}" for frame in frames]
        with ledger_errors():
            self._settle(keys=[self._key(session)], args=[session.holder, *names])

    @override
    def renew(self, sessions: Sequence[Session]) -> tuple[bool, ...]:
        with ledger_errors(), self._client.pipeline(transaction=False) as pipe:
            for session in sessions:
                self._renew(keys=[self._key(session)], args=[session.holder, self._live_ms], client=pipe)
            return tuple(bool(held) for held in pipe.execute())

    @override
    def leave(self, session: Session, frames: Sequence[str], oversized: Sequence[str]) -> None:
        with ledger_errors():
            self._leave(
                keys=[self._key(session)],
                args=[session.holder, self._keep_ms, len(frames), *frames, *oversized],
            )

    def _resumed(self, account: str, wanted: str) -> Opened | None:
        session = Session(wanted, new_token())
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


def _in_order(members: Sequence[tuple[str, str]], start: str) -> tuple[str, ...]:
    """Names of the members of a kind, without what tells the kind, by their number."""
    found = sorted((int(number), name) for name, number in members if name.startswith(start))
    return tuple(name.removeprefix(start) for _, name in found)
