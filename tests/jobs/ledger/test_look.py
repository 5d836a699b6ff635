"""LOOK and CREATE: one says what the other would answer, and CREATE alone decides."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cutgate.jobs.errors import SubmissionRefused
from cutgate.jobs.ids import TaskUid, new_token
from cutgate.jobs.record import AccountCaps, Idempotency, Joining, NewTask, RateUse
from tests.fakes import ManualClock
from tests.jobs.build import ERROR, Ledger, new_task
from tests.ledgers import fresh_prefix, server

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
