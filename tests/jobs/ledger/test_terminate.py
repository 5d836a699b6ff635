"""TERMINATE: everything that has not ended ends before the answer, and nothing that comes later counts."""

from cutgate.jobs.answers import Balance
from cutgate.jobs.errors import Terminated
from cutgate.jobs.ids import new_task_uid, new_token
from cutgate.jobs.record import Idempotency, ItemState, Joining, Task, TaskStatus
from tests.jobs.build import DELIVERIES, LANE, URL, Ledger, new_task
from tests.ledgers import spent_sources


def terminated(ledger: Ledger) -> Task:
    """A task with one item done, one running and two waiting, after its end."""
    task = ledger.submit(item_count=4, price=2)
    done, _ = ledger.next_claim(), ledger.next_claim()
    assert ledger.done(done)
    assert ledger.tasks.terminate(task.uid, "alice")
    assert spent_sources(ledger) == {item.source for item in task.items}
    return ledger.task(task.uid)


def test_what_had_not_ended_ends_as_failed(ledger: Ledger) -> None:
    task = terminated(ledger)
    assert [item.state for item in task.items] == [ItemState.DONE, *[ItemState.FAILED] * 3]
    errors = [item.error for item in task.items[1:]]
    assert errors == [Terminated("the task was terminated").facts()] * 3
    assert (task.status, task.ended_at_ms is not None) == (TaskStatus.FINISHED, True)


def test_done_items_stay_booked_and_the_rest_is_released(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 10)
    assert terminated(ledger).booked == 2
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=2, reserved=0)


def test_nothing_waits_any_more_and_the_caps_have_room_again(ledger: Ledger) -> None:
    ledger = ledger.limited(account_queue_cap=4, total_queue_cap=4)
    terminated(ledger)
    assert (ledger.waiting(LANE), ledger.no_claim(), ledger.tasks.unfinished("alice")) == (0, True, ())
    ledger.submit(item_count=4)


def test_a_claims_token_is_not_used_again(ledger: Ledger) -> None:
    claim = ledger.claimed()
    ledger.submit()
    ledger.tasks.terminate(claim.task, "alice")
    assert ledger.claims.take([LANE], "worker-1", claim.token) is None
    assert ledger.next_claim()


def test_a_repeat_changes_nothing(ledger: Ledger) -> None:
    ledger.accounts.grant("alice", 10)
    before = terminated(ledger)
    assert ledger.tasks.terminate(before.uid, "alice")
    assert ledger.tasks.get(before.uid, "alice") == before
    assert ledger.accounts.balance("alice") == Balance(granted=10, used=2, reserved=0)


def test_another_accounts_task_and_an_unknown_one(ledger: Ledger) -> None:
    assert not ledger.tasks.terminate(ledger.submit().uid, "bob")
    assert not ledger.tasks.terminate(new_task_uid(), "alice")
    assert ledger.waiting(LANE) == 1


class TestWhatNeverRan:
    """A task that was terminated before anything was begun costs the ledger little, and not for long."""

    def test_it_reads_as_any_other(self, ledger: Ledger) -> None:
        task = ledger.task(ledger.ended_task(item_count=3).uid)
        assert (task.status, task.booked) == (TaskStatus.ERROR, 0)
        error = Terminated("the task was terminated").facts()
        assert [(item.index, item.state, item.attempts, item.error) for item in task.items] == [
            (index, ItemState.FAILED, 0, error) for index in range(3)
        ]

    def test_no_item_of_it_is_left(self, ledger: Ledger) -> None:
        uid = ledger.ended_task(item_count=16).uid
        assert list(ledger.client.scan_iter(match=f"{ledger.key_prefix}item:*", count=1_000)) == []
        record = ledger.client.hgetall(f"{ledger.key_prefix}task:{uid}")
        assert sum(len(name) + len(value) for name, value in record.items()) < 400

    def test_it_goes_after_an_hour_and_not_before(self, ledger: Ledger) -> None:
        uid = ledger.ended_task().uid
        ledger.clock.advance(3_599)
        assert ledger.tasks.get(uid, "alice") is not None
        assert ledger.expired() == ()
        ledger.clock.advance(2)
        assert ledger.tasks.get(uid, "alice") is None
        assert ledger.expired() == (uid,)
        ledger.upkeep.forget([uid])
        assert ledger.expired() == ()

    def test_the_name_of_its_request_goes_with_it(self, ledger: Ledger) -> None:
        named = Idempotency(key="k", content_digest="d")
        uid = ledger.ended_task(idempotency=named).uid
        (name,) = ledger.client.scan_iter(match=f"{ledger.key_prefix}idempotency:*", count=1_000)
        assert 3_500_000 < ledger.client.pttl(name) <= 3_600_000
        assert ledger.named("alice", "k") == uid
        begun = ledger.claimed(idempotency=Idempotency(key="begun", content_digest="d"))
        ledger.tasks.terminate(begun.task, "alice")
        ledger.clock.advance(3_601)
        assert (ledger.named("alice", "k"), ledger.named("alice", "begun")) == (None, begun.task)

    def test_never_after_the_usual_retention(self, ledger: Ledger) -> None:
        ledger = ledger.limited(retention_seconds=100)
        uid = ledger.ended_task().uid
        ledger.clock.advance(101)
        assert ledger.tasks.get(uid, "alice") is None
        assert ledger.expired() == (uid,)

    def test_what_was_begun_stays_as_long_as_results_do(self, ledger: Ledger) -> None:
        begun, told = ledger.claimed(), ledger.ended_task(deliveries=DELIVERIES)
        ledger.tasks.terminate(begun.task, "alice")
        ledger.clock.advance(86_000)
        assert ledger.tasks.get(begun.task, "alice") is not None
        assert ledger.tasks.get(told.uid, "alice") is not None


class TestLeaving:
    """Those who joined a task and wait for it no more."""

    SAME = Joining(content_digest="aa", seconds=600)

    def test_the_last_one_ends_what_was_not_begun_for_free(self, ledger: Ledger) -> None:
        ledger.accounts.grant("alice", 10)
        uid = ledger.submit(idempotency=self.SAME).uid
        assert ledger.recall("alice", self.SAME) == uid
        assert ledger.tasks.create(new_task(idempotency=self.SAME)).repeated
        assert [ledger.tasks.leave(uid, "alice") for _ in range(3)] == [False, False, True]
        assert ledger.task(uid).status is TaskStatus.ERROR
        assert ledger.accounts.balance("alice") == Balance(granted=10, used=0, reserved=0)
        assert ledger.waiting(LANE) == 0

    def test_a_picture_that_is_still_to_be_fetched_is_not_begun(self, ledger: Ledger) -> None:
        uid = ledger.submit(idempotency=self.SAME, source_url=URL).uid
        assert ledger.tasks.leave(uid, "alice")
        assert ledger.errands.take("courier-1", new_token()) is None

    def test_what_runs_or_is_done_goes_on(self, ledger: Ledger) -> None:
        uid = ledger.submit(idempotency=self.SAME).uid
        claim = ledger.next_claim()
        assert not ledger.tasks.leave(uid, "alice")
        assert ledger.done(claim)
        assert not ledger.tasks.leave(uid, "alice")
        assert ledger.task(uid).status is TaskStatus.FINISHED

    def test_what_goes_by_no_joining_goes_on(self, ledger: Ledger) -> None:
        """Whoever gave it a name may ask for it later."""
        for named in (None, Idempotency(key="order 17", content_digest="aa")):
            assert not ledger.tasks.leave(ledger.submit(idempotency=named).uid, "alice")
        assert ledger.waiting(LANE) == 2

    def test_it_is_the_accounts_own(self, ledger: Ledger) -> None:
        uid = ledger.submit(idempotency=self.SAME).uid
        assert not ledger.tasks.leave(uid, "bob")
        assert ledger.tasks.leave(uid, "alice")
