"""A long random walk over both ledgers: equal answers, equal records, equal balances after every step."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from jobs.errors import SubmissionRefused
from jobs.record import Claim, NewTask
from jobs.store import LedgerLimits, LedgerStore
from tests.test_jobs.build import ERROR, LANE, OTHER_LANE, OTHER_SPEC, SPEC, MakeLedger, new_task, result_of

STEPS = 400


class Walk:
    """Makes the same random moves on several ledgers; a step returns what each of them answered."""

    def __init__(self, ledgers: tuple[LedgerStore, ...]) -> None:
        self.ledgers = ledgers
        self.tasks: list[NewTask] = []
        self._choose = random.Random(20)
        self._claims: list[Claim] = []

    def step(self) -> list[str]:
        moves: list[Callable[[], list[str]]] = [self._create, self._claim, self._claim]
        if self._claims:
            moves += [self._renew, self._finish, self._fail]
        return self._choose.choice(moves)()

    def _create(self) -> list[str]:
        task = new_task(
            account=self._choose.choice("abc"),
            item_count=self._choose.randint(1, 5),
            price=self._choose.randint(0, 3),
            spec=self._choose.choice([SPEC, OTHER_SPEC]),
        )
        self.tasks.append(task)
        return [answer_of_create(ledger, task) for ledger in self.ledgers]

    def _claim(self) -> list[str]:
        lanes = self._choose.sample([LANE, OTHER_LANE], self._choose.randint(1, 2))
        token = f"token-{self._choose.getrandbits(64):016x}"
        claims = [ledger.claim(lanes, "worker-1", token) for ledger in self.ledgers]
        self._claims += [claim for claim in claims[:1] if claim is not None]
        return [repr(claim and replace(claim, deadline_in_seconds=0)) for claim in claims]

    def _renew(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.renew(claim)) for ledger in self.ledgers]

    def _finish(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.finish(claim, result_of(claim))) for ledger in self.ledgers]

    def _fail(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.fail(claim, ERROR)) for ledger in self.ledgers]


def answer_of_create(ledger: LedgerStore, task: NewTask) -> str:
    try:
        return repr(ledger.create(task))
    except SubmissionRefused as refusal:
        return repr(refusal)


def standing(ledger: LedgerStore) -> str:
    """What is counted."""
    balances = [ledger.balance(account) for account in "abc"]
    return repr((balances, ledger.waiting(LANE), ledger.waiting(OTHER_LANE)))


def record_of(ledger: LedgerStore, task: NewTask) -> str:
    """A task as it stands, apart from times: the two clocks differ."""
    stored = ledger.get(task.uid, task.account)
    return repr(stored and (stored.status, stored.ended_at_ms is None, stored.items))


def test_both_go_the_same_way(make_memory_ledger: MakeLedger, make_redis_ledger: MakeLedger) -> None:
    limits = LedgerLimits(account_queue_cap=12, total_queue_cap=25)
    walk = Walk((make_memory_ledger(limits), make_redis_ledger(limits)))
    for ledger in walk.ledgers:
        ledger.grant("a", 40)
    for _ in range(STEPS):
        memory, redis = walk.step()
        assert memory == redis
        memory, redis = map(standing, walk.ledgers)
        assert memory == redis
    for task in walk.tasks:
        memory, redis = (record_of(ledger, task) for ledger in walk.ledgers)
        assert memory == redis
