"""A model of the ledger's rules: what becomes of each item, and whose turn it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.record import Claim, ItemState, NewTask
from tests.jobs.build import ENDED

LIMITS = LedgerLimits(
    lease_seconds=1_000,
    job_timeout_seconds=2_500,
    queue_timeout_seconds=9_000,
    max_attempts=3,
    source_max_age_seconds=1e9,
    retention_seconds=1e9,
    terminated_retention_seconds=1e9,
    errand_lease_seconds=1_000,
    errand_max_crashes=1_000,  # every delivery is made in the end, whatever its couriers did before
    account_errand_cap=2,
    max_strikes=1_000,  # the order of those that are held back is shown in `test_fairness`
)


@dataclass
class ModelItem:
    """An item as the rules want it. Times are seconds by which the clock was put forward."""

    account: str
    state: ItemState
    queued_at: float
    urgent: bool = False
    attempts: int = 0
    computes: bool = False
    token: str = ""
    owner: str = ""
    given_back: str = ""
    lease_until: float = 0
    hard_deadline: float = 0
    blameless: bool = False
    """Whether it failed through no fault of its picture."""

    def end(self, state: ItemState, token: str = "", *, blameless: bool = False) -> None:
        self.state, self.token, self.blameless = state, token, blameless


class Model:
    """The rules in a few lines: what becomes of each item, and whose turn it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.items: dict[tuple[str, int], ModelItem] = {}
        """In the order of their acceptance."""
        self.line: list[set[str]] = []
        """Accounts with waiting items by their turn; those that came in one step in any order."""
        self.urgent_turns: Counter[str] = Counter()

    def enter(self, items: Sequence[ModelItem]) -> None:
        """Let items wait."""
        for item in items:
            item.end(ItemState.QUEUED)
        newcomers = {item.account for item in items}.difference(*self.line)
        self.line += [newcomers] if newcomers else []

    def drop(self, items: Sequence[ModelItem]) -> None:
        """Let go of items that run: their accounts stand behind who waits by now, if more of theirs does."""
        accounts = {item.account for item in items if item.state is ItemState.RUNNING}
        behind = accounts.intersection(set[str]().union(*self.line))
        self.line = [others - behind for others in self.line] + [behind]

    def leave(self) -> None:
        """Take those out of the line who have nothing left that waits."""
        waiting = {item.account for item in self.items.values() if item.state is ItemState.QUEUED}
        self.line = [accounts & waiting for accounts in self.line if accounts & waiting]

    def claim(self, claim: Claim) -> None:
        """The first of the account whose turn it is; then the account stands at the end."""
        item = self.items[claim.task, claim.index]
        mine = [each for each in self.items.values() if each.account == item.account]
        waiting = [each for each in mine if each.state is ItemState.QUEUED]
        urgent = [each for each in waiting if each.urgent]
        plain = [each for each in waiting if not each.urgent]
        is_plains_turn = self.urgent_turns[item.account] >= 3
        assert item is ((plain or urgent) if is_plains_turn else (urgent or plain))[0]
        self.urgent_turns[item.account] = self.urgent_turns[item.account] + 1 if item.urgent else 0
        assert item.account in self.line[0]
        item.state, item.token, item.owner = ItemState.RUNNING, claim.token, claim.owner
        item.attempts += 1
        item.computes = False
        item.hard_deadline = self.now + LIMITS.job_timeout_seconds
        item.lease_until = self.now + LIMITS.lease_seconds
        self.line[0].remove(item.account)
        self.line.append({item.account})
        self.leave()

    def renew(self, claim: Claim) -> bool:
        item = self.held_by(claim)
        if item is None or self.now >= item.hard_deadline:
            return False
        item.computes = True
        item.lease_until = min(self.now + LIMITS.lease_seconds, item.hard_deadline)
        return True

    def end(self, claim: Claim, state: ItemState, *, blameless: bool = False) -> bool:
        item = self.items[claim.task, claim.index]
        if self.held_by(claim) is None:
            return item.token == claim.token and item.state is state
        self.drop([item])
        item.end(state, claim.token, blameless=blameless)
        self.leave()
        return True

    def give_back(self, claim: Claim) -> bool:
        item = self.held_by(claim)
        if item is None:
            return self.items[claim.task, claim.index].given_back == claim.token
        item.given_back = claim.token
        self.drop([item])
        self.requeue([item], counts=False)
        return True

    def requeue(self, items: Sequence[ModelItem], *, counts: bool) -> None:
        """Let items wait again that were dropped in the same step."""
        for item in items:
            item.attempts -= not counts
            item.queued_at = self.now
            item.end(ItemState.QUEUED)
        self.line[-1] |= {item.account for item in items}.difference(*self.line)
        self.leave()

    def take_back(self, items: Sequence[ModelItem], *, counts: bool) -> None:
        """Take items from workers that are gone: those that hung and those that killed too many fail."""
        overdue = [item for item in items if item.hard_deadline <= min(item.lease_until, self.now)]
        hung = [item for item in overdue if item.computes]
        poison = [
            item for item in items if counts and item.attempts == LIMITS.max_attempts and item not in overdue
        ]
        self.drop(items)
        for item in hung + poison:
            item.end(ItemState.FAILED, blameless=item in poison)
        for item in overdue:
            item.attempts -= counts and not item.computes  # the storage hung
        self.requeue([item for item in items if item.state not in ENDED], counts=counts)

    def reap(self) -> None:
        self.take_back([item for item in self.running() if item.lease_until <= self.now], counts=True)
        for item in self.items.values():
            waits = item.state in {ItemState.QUEUED, ItemState.FETCHING}
            if waits and item.queued_at <= self.now - LIMITS.queue_timeout_seconds:
                item.end(ItemState.FAILED, blameless=item.state is ItemState.QUEUED)
        self.leave()

    def retry(self, task: NewTask) -> int:
        """Items wait again as if they were accepted now, and nobody waited for them."""
        again = {key: item for key, item in self.items.items() if key[0] == task.uid and item.blameless}
        for key, item in again.items():
            self.items[key] = self.items.pop(key)  # behind all others
            item.attempts, item.urgent, item.queued_at = 0, False, self.now
        self.enter(list(again.values()))
        return len(again)

    def terminate(self, task: NewTask) -> None:
        items = [item for (uid, _), item in self.items.items() if uid == task.uid and item.state not in ENDED]
        self.drop(items)
        for item in items:
            item.end(ItemState.FAILED)
        self.leave()

    def running(self) -> list[ModelItem]:
        return [item for item in self.items.values() if item.state is ItemState.RUNNING]

    def held_by(self, claim: Claim) -> ModelItem | None:
        item = self.items[claim.task, claim.index]
        return item if item.state is ItemState.RUNNING and item.token == claim.token else None
