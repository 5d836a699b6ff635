"""Time and chance of a simulation: both stand still until the schedule moves them, in Python as in the server."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from redis import Redis

from cutgate.jobs import ids
from cutgate.jobs.ledger import server
from cutgate.jobs.ledger.database import script_texts
from cutgate.jobs.upkeep import installation, leadership, reaper
from cutgate.worker.process import runner

_BEGIN_SECONDS: Final = 1_800_000_000
_SCALE: Final = 1_000
"""The server's own clock runs on: what expires gets so many times its time, and loses it with the simulation's."""
_TIMED: Final = f"""
local server = redis
local redis = setmetatable({{call = function(command, ...)
  if command == 'TIME' then return {{0, 0}} end
  if command ~= 'SET' and command ~= 'PEXPIRE' and command ~= 'PTTL' then return server.call(command, ...) end
  local words = {{command, ...}}
  for position, word in ipairs(words) do
    if word == 'PX' then words[position + 1] = words[position + 1] * {_SCALE} end
  end
  if command == 'PEXPIRE' then words[3] = words[3] * {_SCALE} end
  local answer = server.call(unpack(words))
  return command == 'PTTL' and answer > 0 and math.ceil(answer / {_SCALE}) or answer
end}}, {{__index = server}})
"""
_AGE: Final = """#!lua flags=allow-oom
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left > 0 and left <= tonumber(ARGV[1]) then redis.call('DEL', key)
  elseif left > 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
end
"""


def timed_scripts() -> dict[str, str]:
    """The ledger's scripts as they are, but on the simulation's clock, which is all that they are told of time."""
    return {name: text.replace("\n", _TIMED, 1) for name, text in script_texts().items()}


class Clock:
    """Stands in for `time` and `secrets` wherever the product asks them."""

    def __init__(self, client: Redis) -> None:
        self._client, self._count, self.now_ms = client, 0, _BEGIN_SECONDS * 1_000
        self.sleep: Callable[[float], object] = lambda _: None
        self._age = client.register_script(_AGE)

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody; `age` lets what expires know."""
        self.now_ms += round(seconds * 1_000)

    def age(self, seconds: float) -> None:
        """Let what expires in the server have so much less time."""
        self._age(args=[round(seconds * 1_000 * _SCALE)])

    def monotonic(self) -> float:
        return self.time()

    def time(self) -> float:
        return self.now_ms / 1_000

    def token_bytes(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def token_urlsafe(self, _: int) -> str:
        self._count += 1
        return f"token-{self._count}-"

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Have the product ask this clock for a block."""
        places: list[tuple[Any, str]] = [(ids, "time"), (ids, "secrets"), (server, "time"), (runner, "time")]
        places += [(installation, "time"), (leadership, "time"), (reaper, "time")]
        with ExitStack() as patches:
            for module, name in places:
                patches.enter_context(patch.object(module, name, self))
            patches.enter_context(patch.object(leadership, "random", random.Random(1)))
            yield
