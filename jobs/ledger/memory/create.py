"""CREATE in the memory ledger: what is checked, and what is stored."""

from __future__ import annotations

from cutgate.jobs.errors import InsufficientCredits, QueueFull, SourceExpired
from cutgate.jobs.ids import made_at_seconds
from cutgate.jobs.ledger.encoding import encode_deliveries, encode_request, encode_spec, milliseconds
from cutgate.jobs.ledger.endings import SOURCE_TOO_OLD
from cutgate.jobs.ledger.keys import idempotency_name, item_name
from cutgate.jobs.ledger.memory.errand_records import fetch_name
from cutgate.jobs.ledger.memory.state import LedgerState
from cutgate.jobs.record import ItemState, NewTask


def check(state: LedgerState, task: NewTask) -> None:
    """Raise `SubmissionRefused` unless the task can be accepted."""
    limits, now_ms, available = state.limits, state.now_ms(), state.credits_of(task.account).available
    price = sum(item.price for item in task.items)
    if state.metered(task.account) and price > available:
        raise InsufficientCredits(available, price)
    account_open = state.accounts[task.account]["open"]
    account_cap = limits.account_queue_cap if task.account_cap is None else task.account_cap
    _check_cap("account", account_open, account_cap, task, state.paces[task.account].ends_per_second(now_ms))
    total_open = sum(account["open"] for account in state.accounts.values())
    _check_cap("service", total_open, limits.total_queue_cap, task, state.pace.ends_per_second(now_ms))
    age_ms = now_ms - milliseconds(made_at_seconds(task.uid))
    if age_ms > milliseconds(limits.source_max_age_seconds):
        raise SourceExpired(SOURCE_TOO_OLD)


def _check_cap(scope: str, queued: int, cap: int, task: NewTask, ends_per_second: float) -> None:
    over = queued + len(task.items) - cap
    if over > 0:
        raise QueueFull(scope, queued, cap, over=over, ends_per_second=ends_per_second)


def accept(state: LedgerState, task: NewTask) -> None:
    """Store a task that was checked: record, reservation, queue entries and idempotency key."""
    now_ms, account = state.now_ms(), state.accounts[task.account]
    for index, item in enumerate(task.items):
        name = item_name(task.uid, index)
        reserved = item.price if state.metered(task.account) else 0
        state.accepted += 1
        state.items.update(
            name,
            state=ItemState.QUEUED if item.source_url is None else ItemState.FETCHING,
            account=task.account,
            lane=item.lane,
            spec=encode_spec(item.spec),
            source=str(item.source),
            price=item.price,
            reserved=reserved,
            number=state.accepted,
            attempts=0,
            queued_at_ms=now_ms,
            hinted_at_ms=now_ms,
        )
        if item.source_url is None:
            state.enter_queue(name)
        else:
            state.errands.add(fetch_name(name), task.account, item.source_url, now_ms, keep=item.keep)
        account["reserved"] += reserved
    account["open"] += len(task.items)
    state.tasks.update(
        task.uid,
        account=task.account,
        origin=task.origin,
        memo=task.memo,
        request=encode_request(task.request),
        deliveries=encode_deliveries(task.deliveries),
        created_at_ms=now_ms,
        item_count=len(task.items),
        open_count=len(task.items),
        done_count=0,
        started=0,
    )
    if task.idempotency is not None:
        until_ms = now_ms + milliseconds(state.limits.idempotency_seconds)
        name = idempotency_name(task.account, task.idempotency.key)
        state.idempotency[name] = (task.uid, task.idempotency.content_digest, until_ms)
