"""CREATE: what is accepted, what is refused, what a repeat costs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cutgate.jobs.answers import Balance, Created
from cutgate.jobs.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
)
from cutgate.jobs.ids import TaskUid, new_task_uid, new_token
from cutgate.jobs.ledger.keys import short_digest
from cutgate.jobs.record import AccountCaps, Idempotency, ItemState, Joining, NewTask, RateUse, TaskStatus
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, LANE, OTHER_LANE, SPEC, Ledger, new_task
from tests.ledgers import fresh_prefix, server, stored_item


def test_a_task_is_stored_as_it_was_given(ledger: Ledger) -> None:
    task = new_task(item_count=3, price=2)
    assert ledger.tasks.create(task) == Created(uid=task.uid, repeated=False)
    stored = ledger.task(task.uid)
    assert (stored.uid, stored.account, stored.origin) == (task.uid, "alice", "test")
    assert (stored.status, stored.ended_at_ms, stored.booked) == (TaskStatus.QUEUING, None, 0)
    assert stored.created_at_ms == pytest.approx(ledger.clock() * 1000, abs=60_000)
    kept = [stored_item(ledger, task.uid, index) for index in range(3)]
    assert [(item.source, item.spec) for item in kept] == [(item.source, SPEC) for item in task.items]
    assert {(item.state, item.attempts, item.price) for item in stored.items} == {(ItemState.QUEUED, 0, 2)}
    assert [item.index for item in stored.items] == [0, 1, 2]
    assert (ledger.waiting(LANE), ledger.waiting(OTHER_LANE)) == (3, 0)


def test_text_is_kept_in_every_script(ledger: Ledger) -> None:
    task = ledger.submit(account='a:b/"ç"\\ 鍵', idempotency=Idempotency(key="clé / 1", content_digest="x y"))
    assert ledger.tasks.get(task.uid, 'a:b/"ç"\\ 鍵') is not None
    again = new_task(account=task.account, idempotency=task.idempotency)
    assert ledger.tasks.create(again) == Created(uid=task.uid, repeated=True)


def test_a_foreign_account_sees_nothing(ledger: Ledger) -> None:
    assert ledger.tasks.get(ledger.submit().uid, "bob") is None
    assert ledger.tasks.get(new_task_uid(), "alice") is None


def test_a_repeat_of_a_task_changes_nothing(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 5)
    task = new_task(item_count=2)
    first, again = ledger.tasks.create(task), ledger.tasks.create(task)
    assert first == again == Created(uid=task.uid, repeated=False)
    assert ledger.accounts.balance("alice") == Balance(granted=5, used=0, reserved=2)
    assert ledger.waiting(LANE) == 2


class TestCredits:
    def test_an_account_without_a_grant_is_not_metered(self, ledger: Ledger) -> None:
        ledger.submit(price=1_000_000)
        assert ledger.accounts.balance("alice") is None

    def test_a_task_that_costs_too_much_is_refused_whole(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 2)
        task = new_task(item_count=3)
        with pytest.raises(InsufficientCredits) as refusal:
            ledger.tasks.create(task)
        assert (refusal.value.available, refusal.value.price) == (2, 3)
        assert ledger.tasks.get(task.uid, "alice") is None
        assert ledger.waiting(LANE) == 0
        assert ledger.accounts.balance("alice") == Balance(granted=2, used=0, reserved=0)

    def test_what_was_accepted_before_the_first_grant_stays_free(self, ledger: Ledger) -> None:
        first, second = ledger.claimed_items(item_count=2)
        ledger.accounts.grant("alice", 1)
        ledger.done(first)
        ledger.claims.fail(second, ERROR)
        assert ledger.accounts.balance("alice") == Balance(granted=1, used=0, reserved=0)


class TestIdempotency:
    KEY = Idempotency(key="order 17", content_digest="aa")

    def test_a_repeat_names_the_first_task_and_is_free(self, ledger: Ledger) -> None:
        """Also when nothing more would be accepted."""
        ledger = ledger.limited(account_queue_cap=1)
        ledger.accounts.grant("alice", 1)
        first = ledger.submit(idempotency=self.KEY)
        assert ledger.tasks.create(new_task(idempotency=self.KEY)) == Created(uid=first.uid, repeated=True)
        assert ledger.accounts.balance("alice") == Balance(granted=1, used=0, reserved=1)
        assert ledger.waiting(LANE) == 1

    def test_other_content_conflicts(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.KEY)
        with pytest.raises(IdempotencyConflict):
            ledger.submit(idempotency=replace(self.KEY, content_digest="bb"))
        assert ledger.waiting(LANE) == 1

    def test_a_key_is_the_accounts_own(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.KEY)
        assert not ledger.tasks.create(new_task(account="bob", idempotency=self.KEY)).repeated

    def test_a_refusal_stores_no_key(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 0)
        with pytest.raises(InsufficientCredits):
            ledger.submit(idempotency=self.KEY)
        ledger.accounts.grant("alice", 1)
        accepted = new_task(idempotency=self.KEY)
        assert ledger.tasks.create(accepted) == Created(uid=accepted.uid, repeated=False)

    def test_a_key_is_forgotten_in_the_end(self, ledger: Ledger) -> None:
        ledger = ledger.limited(idempotency_seconds=600)
        ledger.submit(idempotency=self.KEY)
        ledger.clock.advance(seconds=590)
        assert ledger.tasks.create(new_task(idempotency=self.KEY)).repeated
        ledger.clock.advance(seconds=11)
        assert not ledger.tasks.create(new_task(idempotency=self.KEY)).repeated


class TestJoining:
    SAME = Joining(content_digest="aa", seconds=600)

    def test_a_repeat_joins_what_runs_and_what_is_done_for_one_price(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        first = ledger.submit(idempotency=self.SAME)
        assert ledger.recall("alice", self.SAME) == first.uid
        assert ledger.tasks.create(new_task(idempotency=self.SAME)) == Created(uid=first.uid, repeated=True)
        ledger.done(ledger.next_claim())
        assert ledger.recall("alice", self.SAME) == first.uid
        assert ledger.tasks.create(new_task(idempotency=self.SAME)) == Created(uid=first.uid, repeated=True)
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=1, reserved=0)
        assert ledger.waiting(LANE) == 0

    def test_it_is_the_accounts_own_and_of_this_content_alone(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.SAME)
        assert not ledger.tasks.create(new_task(account="bob", idempotency=self.SAME)).repeated
        assert not ledger.tasks.create(new_task(idempotency=replace(self.SAME, content_digest="bb"))).repeated

    def test_what_has_failed_is_tried_again(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.SAME)
        ledger.claims.fail(ledger.next_claim(), ERROR)
        assert ledger.recall("alice", self.SAME) is None
        again = new_task(idempotency=self.SAME)
        assert ledger.tasks.create(again) == Created(uid=again.uid, repeated=False)
        assert ledger.recall("alice", self.SAME) == again.uid

    def test_what_was_terminated_is_tried_again(self, ledger: Ledger) -> None:
        ledger.tasks.terminate(ledger.submit(idempotency=self.SAME).uid, "alice")
        assert not ledger.tasks.create(new_task(idempotency=self.SAME)).repeated

    def test_it_lasts_for_a_time_of_its_own(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.SAME)
        ledger.clock.advance(seconds=590)
        assert ledger.tasks.create(new_task(idempotency=self.SAME)).repeated
        ledger.clock.advance(seconds=11)
        assert ledger.recall("alice", self.SAME) is None
        assert not ledger.tasks.create(new_task(idempotency=self.SAME)).repeated

    def test_no_key_of_a_caller_is_its_name(self, ledger: Ledger) -> None:
        ledger.submit(idempotency=self.SAME)
        for key in ("aa", "=aa", short_digest("aa"), f"={short_digest('aa')}"):
            assert not ledger.tasks.create(
                new_task(idempotency=Idempotency(key=key, content_digest="aa"))
            ).repeated

    def test_a_key_of_a_caller_stands_for_what_has_failed_as_before(self, ledger: Ledger) -> None:
        named = Idempotency(key="order 17", content_digest="aa")
        first = ledger.submit(idempotency=named)
        ledger.claims.fail(ledger.next_claim(), ERROR)
        assert ledger.recall("alice", named) == first.uid


class TestQueueCaps:
    @pytest.mark.parametrize(
        ("scope", "caps", "account"),
        [("account", {"account_queue_cap": 3}, "alice"), ("service", {"total_queue_cap": 3}, "bob")],
    )
    def test_a_cap_of_items(self, ledger: Ledger, scope: str, caps: dict[str, int], account: str) -> None:
        ledger = ledger.limited(**caps)
        ledger.submit(item_count=2)
        with pytest.raises(QueueFull) as refusal:
            ledger.submit(account=account, item_count=2)
        assert tuple(refusal.value.details.values()) == (scope, 2, 3)
        ledger.submit(account="carol", item_count=3 if scope == "account" else 1)

    def test_a_tasks_own_cap_counts_instead(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_queue_cap=3)
        ledger.tasks.create(replace(new_task(item_count=5), caps=AccountCaps(queue=5)))
        for refused, cap in ((new_task(), 3), (replace(new_task(), caps=AccountCaps(queue=5)), 5)):
            with pytest.raises(QueueFull) as refusal:
                ledger.tasks.create(refused)
            assert tuple(refusal.value.details.values()) == ("account", 5, cap)
        ledger.tasks.create(replace(new_task(), caps=AccountCaps(queue=6)))

    def test_what_runs_counts_and_what_ended_does_not(self, ledger: Ledger) -> None:
        ledger = ledger.limited(account_queue_cap=1)
        claim = ledger.claimed()
        with pytest.raises(QueueFull):
            ledger.submit()
        ledger.done(claim)
        ledger.submit()


def test_old_sources_are_refused_but_for_a_repeat(ledger: Ledger) -> None:
    ledger = ledger.limited(source_max_age_seconds=100)
    young, old = new_task(), new_task()
    ledger.clock.advance(seconds=90)
    ledger.tasks.create(young)
    ledger.clock.advance(seconds=12)
    with pytest.raises(SourceExpired):
        ledger.tasks.create(old)
    assert ledger.tasks.get(old.uid, "alice") is None
    assert ledger.tasks.create(young).uid == young.uid


class TestNewTask:
    def test_it_needs_an_item(self) -> None:
        with pytest.raises(ValueError, match="needs an item"):
            new_task(item_count=0)

    def test_its_sources_are_its_own_and_each_serves_one_item(self) -> None:
        task = new_task()
        for items in (new_task(item_count=2).items, task.items * 2):
            with pytest.raises(ValueError, match="belongs to one item"):
                replace(task, items=items)

    def test_a_price_is_not_negative(self) -> None:
        with pytest.raises(ValueError, match="not negative"):
            new_task(price=-1)


# LOOK and CREATE: one says what the other would answer, and CREATE alone decides.


ACCOUNTS = ("alice", "bob")
TASKS = st.builds(
    new_task,
    account=st.sampled_from(ACCOUNTS),
    item_count=st.integers(1, 4),
    price=st.integers(0, 3),
    idempotency=st.none()
    | st.builds(Idempotency, key=st.sampled_from("kl"), content_digest=st.sampled_from("xy"))
    | st.builds(Joining, content_digest=st.sampled_from("xy"), seconds=st.sampled_from([50, 150])),
)
BETWEEN = st.sampled_from(("nothing", "grant", "finish", "fail", "forget names", "another"))


def empty_ledger() -> Ledger:
    ledger = Ledger(server(), key_prefix=fresh_prefix(), clock=ManualClock())
    return ledger.limited(account_queue_cap=4, total_queue_cap=6, idempotency_seconds=100)


def facts_of(task: NewTask) -> dict[str, Any]:
    """What LOOK is told of a task's items."""
    price = sum(item.price for item in task.items)
    return {"item_count": len(task.items), "price": price, "keeps": task.items[0].keep}


def seen(ledger: Ledger, task: NewTask) -> str:
    """What LOOK says of a task."""
    outlook = ledger.tasks.look(
        task.account,
        caps=task.caps,
        idempotency=task.idempotency,
        **facts_of(task),
        use=RateUse(name=task.account, limit=1_000_000, seconds=1),
    )
    assert outlook.allowance is not None
    assert outlook.allowance.granted
    return verdict(outlook.refusal and outlook.refusal(), outlook.first)


def decided(ledger: Ledger, task: NewTask) -> str:
    """What CREATE does with it."""
    try:
        created = ledger.tasks.create(task)
    except SubmissionRefused as refusal:
        return verdict(refusal, None)
    return verdict(None, created.uid if created.repeated else None)


def verdict(refusal: SubmissionRefused | None, first: TaskUid | None) -> str:
    if refusal is not None:
        return f"{refusal.kind}: {refusal}"
    return f"repeats {first}" if first else "accepted"


def happen(ledger: Ledger, what: str, number: int) -> None:
    """Something that another process does."""
    match what:
        case "grant":
            ledger.accounts.grant(ACCOUNTS[number % 2], 3)
        case "finish" | "fail":
            claim = ledger.claims.take(ledger.lanes(), "worker", new_token())
            if claim is not None:
                assert ledger.done(claim) if what == "finish" else ledger.claims.fail(claim, ERROR)
        case "forget names":
            ledger.clock.advance(101)
        case "another":
            decided(ledger, new_task(account=ACCOUNTS[number % 2], price=number % 3))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(BETWEEN, TASKS), max_size=12))
def test_they_agree_when_nothing_happens_between_them(steps: list[tuple[str, NewTask]]) -> None:
    ledger = empty_ledger()
    for number, (before, task) in enumerate(steps):
        happen(ledger, before, number)
        assert seen(ledger, task) == decided(ledger, task)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(BETWEEN, TASKS), min_size=1, max_size=12))
@example(steps=[("another", new_task(item_count=4)), ("another", new_task(item_count=4))])
def test_when_something_happens_between_them_create_alone_decides(steps: list[tuple[str, NewTask]]) -> None:
    """The twin's ledger never looks; what is accepted and what is left is the same."""
    looked, twin = empty_ledger(), empty_ledger()
    for number, (between, task) in enumerate(steps):
        seen(looked, task)
        for ledger in (looked, twin):
            happen(ledger, between, number)
        assert kind_of(decided(looked, task)) == kind_of(decided(twin, task))
    for account in ACCOUNTS:
        assert looked.accounts.balance(account) == twin.accounts.balance(account)
        assert len(looked.tasks.unfinished(account)) == len(twin.tasks.unfinished(account))
        assert looked.booked(account) == twin.booked(account)


def kind_of(verdict: str) -> str:
    return verdict.split(" ", 1)[0]


def test_a_request_that_is_refused_has_counted(ledger: Ledger) -> None:
    use = RateUse(name="alice", limit=2, seconds=1_000)
    task = replace(new_task(item_count=2), caps=AccountCaps(queue=1))
    outlooks = [ledger.tasks.look("alice", caps=task.caps, use=use, **facts_of(task)) for _ in range(3)]
    assert [bool(outlook.refusal) for outlook in outlooks] == [True, True, False]
    assert [outlook.allowance and outlook.allowance.granted for outlook in outlooks] == [True, True, False]
