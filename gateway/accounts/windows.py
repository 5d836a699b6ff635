"""Moving windows in the ledger's server: how many of something came in the last second or minute.

A fixed window lets twice the rate through around its edge, and only a moving one can say exactly when the next
request will be let in. It costs a short list for each name. Each decision is one atomic step on the server's
clock, so that windows hold over all processes and hosts together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis import Redis

from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.redis.client import ledger_errors

_TAKE: Final = """
local limit, window_us, weight = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
-- The list has the newest first; what has left the window goes.
local oldest = redis.call('LINDEX', KEYS[1], -1)
while oldest and now_us - tonumber(oldest) >= window_us do
  redis.call('RPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], -1)
end
local count = redis.call('LLEN', KEYS[1])
local over = count + weight - limit
if over <= 0 then
  for _ = 1, weight do redis.call('LPUSH', KEYS[1], string.format('%.0f', now_us)) end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window_us / 1000))
  count = count + weight
end
-- Enough is free once so many of the oldest have left.
local leaving = redis.call('LINDEX', KEYS[1], -math.max(1, over))
return {over <= 0 and 1 or 0, limit - count, now_us, tonumber(leaving) + window_us - now_us}
"""
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a window says of one request."""

    granted: bool
    limit: int
    """Requests of one window."""
    remaining: int
    """Requests that would be granted now."""
    frees_at_seconds: float
    """Unix time, by the server's clock, at which a request leaves the window: the oldest, or for a refused one the
    last that is in its way."""
    frees_in_seconds: float
    """The same from now."""

    def headers(self) -> Mapping[str, str]:
        """What a client needs to slow down before it is refused."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.frees_at_seconds)),
        }


class Windows:
    """Moving windows by name."""

    def __init__(self, client: Redis, *, key_prefix: str = KEY_PREFIX) -> None:
        """Use a server.

        Args:
            client: from `cutgate.jobs.ledger.redis.client.connect`.
            key_prefix: of the windows' names.
        """
        self._prefix = f"{key_prefix}rate:"
        self._take = client.register_script(_TAKE)

    def take(self, name: str, *, limit: int, seconds: int, weight: int = 1) -> Allowance:
        """Count a request, if there is room for it.

        Args:
            name: of the window.
            limit: how many requests fit.
            seconds: how long each of them stays.
            weight: how many requests it counts as, all of the window at most.

        Raises:
            LedgerUnavailable: the server is away.
        """
        arguments = [limit, seconds * _MICROSECONDS, min(weight, limit)]
        with ledger_errors():
            granted, remaining, now_us, left_us = self._take(keys=[self._prefix + name], args=arguments)
        return Allowance(
            granted=granted == 1,
            limit=limit,
            remaining=remaining,
            frees_at_seconds=(now_us + left_us) / _MICROSECONDS,
            frees_in_seconds=left_us / _MICROSECONDS,
        )
