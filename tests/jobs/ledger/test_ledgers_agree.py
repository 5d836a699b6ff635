"""A long random walk over both ledgers: equal answers, equal records, equal balances after every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from cutgate.jobs.errors import SubmissionRefused
from cutgate.jobs.ledger.errands import EVERY_KIND, Errand, ErrandKind
from cutgate.jobs.ledger.store import LedgerLimits, LedgerStore
from cutgate.jobs.ledger.uploads import Upload
from cutgate.jobs.record import Claim, NewTask
from cutgate.jobs.spec import Lane
from cutgate.jobs.testing import ManualClock
from tests.jobs.build import (
    DELIVERIES,
    ERROR,
    LANE,
    OTHER_LANE,
    OTHER_SPEC,
    SPEC,
    URL,
    MakeLedger,
    new_task,
    new_upload,
    result_of,
)

STEPS = 800
OWNERS = ("worker-1", "worker-2")
LIMITS = LedgerLimits(
    account_queue_cap=12,
    total_queue_cap=25,
    lease_seconds=1_000,
    job_timeout_seconds=2_500,
    queue_timeout_seconds=9_000,
    hint_grace_seconds=500,
    source_max_age_seconds=1e9,
    retention_seconds=1e9,
    errand_lease_seconds=1_000,
    account_errand_cap=3,
)


class Walk:
    """Makes the same random moves on several ledgers; a step returns what each of them answered."""

    def __init__(self, ledgers: tuple[LedgerStore, ...], clock: ManualClock) -> None:
        self.ledgers = ledgers
        self._clock = clock
        self.tasks: list[NewTask] = []
        self._choose = random.Random(20)
        self._claims: list[Claim] = []
        self._errands: list[Errand] = []
        self._uploads: list[Upload] = []

    def step(self) -> list[str]:
        # No two steps at one time: what is done at once is ordered by name in one ledger and by time in the other.
        self._clock.advance(0.01)
        moves: list[Callable[[], list[str]]] = [self._create, self._claim, self._claim, self._reap]
        if self._claims:
            moves += [self._renew, self._finish, self._fail, self._give_back, self._give_back_owned]
            moves += [self._terminate, self._unfinished]
        moves += [self._take_errand, self._keep_upload]
        if self._errands:
            moves += [self._end_errand, self._end_errand, self._postpone]
        if self._uploads:
            moves += [self._use_upload, self._drop_upload]
        return self._choose.choice(moves)()

    def _create(self) -> list[str]:
        task = new_task(
            account=self._choose.choice("abc"),
            item_count=self._choose.randint(1, 5),
            price=self._choose.randint(0, 3),
            spec=self._choose.choice([SPEC, OTHER_SPEC]),
            source_url=(source_url := self._choose.choice([None, None, URL])),
            keep=source_url is not None and self._choose.random() < 0.3,
            deliveries=self._choose.choice([(), DELIVERIES]),
        )
        self.tasks.append(task)
        return [answer_of_create(ledger, task) for ledger in self.ledgers]

    def _claim(self) -> list[str]:
        lanes = self._choose.sample([LANE, OTHER_LANE], self._choose.randint(1, 2))
        token, owner = self._token(), self._choose.choice(OWNERS)
        claims = [ledger.claim(lanes, owner, token) for ledger in self.ledgers]
        self._claims += [claim for claim in claims[:1] if claim is not None]
        return [repr(claim and replace(claim, deadline_in_seconds=0, waited_seconds=0)) for claim in claims]

    def _renew(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.renew(claim)) for ledger in self.ledgers]

    def _finish(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.finish(claim, result_of(claim))) for ledger in self.ledgers]

    def _fail(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.fail(claim, ERROR)) for ledger in self.ledgers]

    def _give_back(self) -> list[str]:
        claim = self._choose.choice(self._claims)
        return [repr(ledger.give_back(claim)) for ledger in self.ledgers]

    def _give_back_owned(self) -> list[str]:
        owner, died = self._choose.choice(OWNERS), self._choose.random() < 0.5
        return [repr(ledger.give_back_owned(owner, died=died)) for ledger in self.ledgers]

    def _terminate(self) -> list[str]:
        uid, account = self._choose.choice(self.tasks).uid, self._choose.choice("abc")
        return [repr(ledger.terminate(uid, account)) for ledger in self.ledgers]

    def _unfinished(self) -> list[str]:
        account = self._choose.choice("abc")
        return [repr(ledger.unfinished(account)) for ledger in self.ledgers]

    def _take_errand(self) -> list[str]:
        token, kinds = self._token(), self._choose.sample(EVERY_KIND, self._choose.randint(1, 3))
        taken = [ledger.take_errand("courier-1", token, kinds) for ledger in self.ledgers]
        self._errands += [errand for errand in taken[:1] if errand is not None]
        return [repr(errand and replace(errand, first_due_at_ms=0, now_ms=0)) for errand in taken]

    def _end_errand(self) -> list[str]:
        errand, fetched = self._choose.choice(self._errands), self._choose.random() < 0.8
        if errand.kind is not ErrandKind.FETCH:
            return [repr(ledger.errand_done(errand)) for ledger in self.ledgers]
        if fetched and errand.keep:
            upload = new_upload(account=errand.account)
            self._uploads.append(upload)
            return [repr(ledger.kept(errand, upload)) for ledger in self.ledgers]
        if fetched:
            return [repr(ledger.fetched(errand)) for ledger in self.ledgers]
        return [repr(ledger.fetch_failed(errand, ERROR)) for ledger in self.ledgers]

    def _postpone(self) -> list[str]:
        errand, seconds = self._choose.choice(self._errands), self._choose.choice([0, 1_500])
        return [repr(ledger.postpone(errand, seconds)) for ledger in self.ledgers]

    def _keep_upload(self) -> list[str]:
        upload = new_upload(account=self._choose.choice("abc"))
        self._uploads.append(upload)
        for ledger in self.ledgers:
            ledger.keep_upload(upload)
        return [repr(ledger.use_upload(upload.uid, upload.account)) for ledger in self.ledgers]

    def _use_upload(self) -> list[str]:
        uid, account = self._choose.choice(self._uploads).uid, self._choose.choice("abc")
        return [repr(ledger.use_upload(uid, account)) for ledger in self.ledgers]

    def _drop_upload(self) -> list[str]:
        uid, account = self._choose.choice(self._uploads).uid, self._choose.choice("abc")
        return [repr(ledger.drop_upload(uid, account)) for ledger in self.ledgers]

    def _token(self) -> str:
        return f"token-{self._choose.getrandbits(64):016x}"

    def _reap(self) -> list[str]:
        # Far from every limit of time: the server's clock also goes on by itself.
        self._clock.advance(self._choose.choice([0, 700, 2_100]))
        under_way = {LANE: self._choose.randint(0, 4), OTHER_LANE: self._choose.randint(0, 4)}
        answers = (ledger.reap("reaper-1", under_way) for ledger in self.ledgers)
        return [repr(answer and replace(answer, hints=sorted_by_lane(answer.hints))) for answer in answers]


def sorted_by_lane(hints: Mapping[Lane, int]) -> dict[Lane, int]:
    return dict(sorted(hints.items()))


def answer_of_create(ledger: LedgerStore, task: NewTask) -> str:
    try:
        return repr(ledger.create(task))
    except SubmissionRefused as refusal:
        return repr(refusal)


def standing(ledger: LedgerStore) -> str:
    """What is counted."""
    balances = [ledger.balance(account) for account in "abc"]
    return repr((balances, ledger.waiting(LANE), ledger.waiting(OTHER_LANE), ledger.errands_due()))


def record_of(ledger: LedgerStore, task: NewTask) -> str:
    """A task as it stands, apart from times: the two clocks differ."""
    stored = ledger.get(task.uid, task.account)
    return repr(stored and (stored.status, stored.ended_at_ms is None, stored.items))


def test_both_go_the_same_way(
    make_memory_ledger: MakeLedger, make_redis_ledger: MakeLedger, clock: ManualClock
) -> None:
    walk = Walk((make_memory_ledger(LIMITS), make_redis_ledger(LIMITS)), clock)
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
