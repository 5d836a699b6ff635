"""Rows of the benchmark: kinds of requests, the accounts that send them, and the answer that each must get."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final, Self

import httpx

from benchmarks.bounds import Bound, at_most
from benchmarks.gateway.beside import IDLE, WAITING, idle_sockets, waiting_callers
from benchmarks.gateway.clients import send_all
from benchmarks.gateway.live import HOST, Gateway
from benchmarks.gateway.requests import Account, Picture, Request, details, removal, runware_removal

SMALL: Final = Picture(52)
"""8 KB."""
MEGABYTE: Final = Picture(590)
TEN_MEGABYTES: Final = Picture(1_830)

ACCEPTED: Final = b'"RetCode":0'
THROTTLED: Final = b'"RetCode":153'
NO_CREDITS: Final = b'"RetCode":520'
NOT_AVAILABLE: Final = b'"RetCode":230'
RUNWARE_ACCEPTED: Final = b'{"data":[{'

MOST_ACCOUNTS: Final = 200
READERS: Final = 2
READ_AT_ONCE: Final = 100
OTHERS: Final = 20
_GENEROUS: Final = ("--submits-per-second", "2000", "--polls-per-second", "2000")
_WARM_UP_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Cast:
    """The accounts of one installation."""

    paying: Sequence[Account]
    """They have credits and room, and a rate near a real one."""
    full: Sequence[Account]
    """Each has as many pictures in the queue as it may."""
    poor: Sequence[Account]
    """None can pay for a picture."""
    hasty: Account
    """It may send one request a second, and sends many."""
    others: Sequence[Account]
    """Of those whose requests are not measured."""
    readings: Sequence[Request]
    """`ListTasksDetails` of tasks that wait; each of an account that has them."""
    rate: int
    """What each of the first three may send in a second; as much, it may send at once."""

    @classmethod
    def on(cls, gateway: Gateway, *, requests: int, rate: int) -> Self:
        """Make the accounts for runs of so many requests, and have each process of the gateway see them once."""
        # So many that none sends more than it may at once, however quick the run is.
        count = min(MOST_ACCOUNTS, max(2, math.ceil(requests / rate)))
        limit = ("--submits-per-second", str(rate))
        rich = ("--credits", "100000000", "--queue-cap", "1000000")
        terms = {
            "paying": (count, (*rich, *limit)),
            "full": (count, ("--queue-cap", "1", *limit)),
            "poor": (count, ("--credits", "1", "--price", "2", *limit)),
            "hasty": (1, ("--submits-per-second", "1", "--queue-cap", "1")),
            "other": (OTHERS, rich),
            "reader": (READERS, (*rich, *_GENEROUS)),
        }
        names = {name: [f"{name}-{n}" for n in range(number)] for name, (number, _) in terms.items()}
        made = gateway.accounts({each: terms[name][1] for name, own in names.items() for each in own})
        of = {name: [made[each] for each in own] for name, own in names.items()}
        cast = cls(
            paying=of["paying"],
            full=of["full"],
            poor=of["poor"],
            hasty=of["hasty"][0],
            others=of["other"],
            readings=[_reading(gateway, account) for account in of["reader"]],
            rate=rate,
        )
        send_all(gateway.port, [removal(account, SMALL) for account in cast.full], 4)
        for _ in range(_WARM_UP_ROUNDS):
            for accounts in (cast.paying, cast.full, cast.poor):
                send_all(gateway.port, _faulty(accounts, count), 16, NOT_AVAILABLE)
        return cast

    def rest_seconds(self, requests: int) -> float:
        """How long after so many requests each account may send a second's worth at once again."""
        return min(1, 2 * requests / len(self.paying) / self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A kind of request."""

    name: str
    make: Callable[[Cast, int], list[Request]]
    """So many of them, none made before."""
    share: float = 1
    """How many are sent, over what the caller of the benchmark says."""
    expected: bytes = ACCEPTED
    """What every answer holds."""
    or_else: bytes | None = None
    """What the answers hold that are not refused."""
    repeated: bool = False
    """Whether the same requests are sent once before."""
    beside: Callable[[Gateway, Sequence[Account]], AbstractContextManager[None]] | None = None
    """What others do meanwhile."""
    gateway_goal_us: Bound | None = None
    server_goal_us: Bound | None = None

    def count(self, requests: int) -> int:
        """How many are sent; never fewer than show anything."""
        return max(4, round(requests * self.share))


def _reading(gateway: Gateway, account: Account) -> Request:
    """A look at tasks of an account, which it submits for that."""
    url = f"http://{HOST}:{gateway.port}/"
    uids = []
    with httpx.Client(trust_env=False, timeout=60) as client:
        for _ in range(READ_AT_ONCE):
            answer = client.post(url, content=removal(account, SMALL).body).json()
            uids.append(answer["TaskUID"])
    return details(account, uids)


def _removals(picture: Picture, by: str = "paying") -> Callable[[Cast, int], list[Request]]:
    return lambda cast, count: [removal(account, picture) for account in islice(cycle(getattr(cast, by)), count)]


def _faulty(accounts: Sequence[Account], count: int) -> list[Request]:
    """Right signatures over a field that is out of range."""
    return [removal(account, SMALL, ErodeSize=-1) for account in islice(cycle(accounts), count)]


REFUSAL_GOAL_US: Final = at_most(350)

ROWS: Final = (
    Row(name="8 KB", make=_removals(SMALL), gateway_goal_us=at_most(900), server_goal_us=at_most(150)),
    Row(name=f"8 KB beside {WAITING} that wait", make=_removals(SMALL), beside=waiting_callers),
    Row(name=f"8 KB beside {IDLE} idle sockets", make=_removals(SMALL), beside=idle_sockets),
    Row(name="1 MB", make=_removals(MEGABYTE), share=1 / 20),
    Row(name="10 MB", make=_removals(TEN_MEGABYTES), share=1 / 60),
    Row(
        name="queue full",
        make=_removals(SMALL, by="full"),
        expected=THROTTLED,
        gateway_goal_us=REFUSAL_GOAL_US,
    ),
    Row(
        name="no credits",
        make=_removals(SMALL, by="poor"),
        expected=NO_CREDITS,
        gateway_goal_us=REFUSAL_GOAL_US,
    ),
    Row(
        name="over its rate",
        make=lambda cast, count: [removal(cast.hasty, SMALL) for _ in range(count)],
        expected=THROTTLED,
        or_else=ACCEPTED,
        gateway_goal_us=REFUSAL_GOAL_US,
    ),
    Row(
        name="bad field",
        make=lambda cast, count: _faulty(cast.paying, count),
        expected=NOT_AVAILABLE,
    ),
    Row(name="repeated", make=_removals(SMALL), repeated=True, gateway_goal_us=REFUSAL_GOAL_US),
    Row(
        name="Runware, 8 KB",
        make=lambda cast, count: [
            runware_removal(account, SMALL) for account in islice(cycle(cast.paying), count)
        ],
        expected=RUNWARE_ACCEPTED,
    ),
    Row(
        name="details of 100",
        make=lambda cast, count: list(islice(cycle(cast.readings), count)),
        share=1 / 6,
        gateway_goal_us=at_most(10_000),
        server_goal_us=at_most(1_000),
    ),
)
