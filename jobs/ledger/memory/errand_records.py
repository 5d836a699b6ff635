"""The errands that the memory ledger knows. As in `memory_state`, nothing here takes the lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.encoding import decode_errand
from cutgate.jobs.ledger.errands import Errand, ErrandKind
from cutgate.jobs.ledger.keys import errand_name, item_name, parse_errand_name
from cutgate.jobs.ledger.memory.events import MemoryErrandEvents
from cutgate.jobs.ledger.memory.records import Records
from cutgate.jobs.ledger.upkeep import BATCH
from cutgate.jobs.record import Delivery


class ErrandRecords:
    """Errands with their due times, and who has them."""

    def __init__(self) -> None:
        self.events = MemoryErrandEvents()
        self._records = Records()
        self._later_at_ms: dict[str, int] = {}
        """When an errand falls due that was postponed, or that a courier has."""
        self._lines: dict[tuple[ErrandKind, str], dict[str, int]] = {}
        """The kinds and accounts of which errands are due, in the order of their turn, and since when each is."""
        self._under_way_until_ms: dict[str, int] = {}
        self._takings: dict[str, str] = {}
        """Token → errand that a courier has."""

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def add(self, name: str, account: str, url: str, now_ms: int, *, keep: bool = False) -> None:
        """Record an errand that is due from now on; `keep`: what it fetches becomes an upload."""
        self._records.update(name, account=account, url=url, keep=int(keep), attempt=0, first_due_at_ms=now_ms)
        self._enter_line(name, now_ms)
        self.events.tell()

    def add_deliveries(self, uid: TaskUid, account: str, deliveries: tuple[Delivery, ...], now_ms: int) -> None:
        """Record what the end of a task makes due."""
        for name, delivery in zip(_delivery_names(uid, deliveries), deliveries, strict=True):
            self.add(name, account, delivery.url, now_ms)

    def remove_deliveries(self, uid: TaskUid, deliveries: tuple[Delivery, ...]) -> None:
        """Take away what is left of a task's deliveries."""
        for name in _delivery_names(uid, deliveries):
            self.remove(name)

    def remove(self, name: str) -> None:
        """Take an errand away, if it is there."""
        if name in self._records:
            self._let_go(name)
            self._leave_line(name)
            self._records.delete(name)

    def due(self, now_ms: int) -> int:
        """How many errands wait for a courier."""
        fallen_due = sum(due_at_ms <= now_ms for due_at_ms in self._later_at_ms.values())
        return fallen_due + sum(map(len, self._lines.values()))

    def fetches(self) -> list[str]:
        """The items that are still to be fetched."""
        names = map(parse_errand_name, self._records)
        return [item_name(uid, number) for uid, kind, number in names if kind is ErrandKind.FETCH]

    def enter_lines(self, now_ms: int) -> None:
        """Put what has fallen due by itself, postponed or left by its courier, in line."""
        times = sorted((due_at_ms, name) for name, due_at_ms in self._later_at_ms.items())
        for due_at_ms, name in times[:BATCH]:
            if due_at_ms <= now_ms:
                del self._later_at_ms[name]
                self._enter_line(name, due_at_ms)

    def next_in_turn(self, kinds: Sequence[ErrandKind], account_cap: int, now_ms: int) -> str | None:
        """The errand that is to be taken next, of accounts that have less than their cap under way."""
        under_way = Counter(
            self._records.read(name)["account"]
            for name, until_ms in self._under_way_until_ms.items()
            if until_ms > now_ms
        )
        for (kind, account), due in self._lines.items():
            if kind in kinds and under_way[account] < account_cap:
                return min(due, key=lambda name: (due[name], name))
        return None

    def take(self, name: str, owner: str, token: str, now_ms: int, until_ms: int) -> None:
        """Give an errand to a courier for a time, and send its account to the end of the line."""
        line = self._line_of(name)
        self._leave_line(name)
        if line in self._lines:
            self._lines[line] = self._lines.pop(line)
        self._let_go(name)
        self._records.update(name, token=token, owner=owner, taken_at_ms=now_ms)
        self._records.add(name, "attempt", 1)
        self._takings[token] = name
        self._later_at_ms[name] = self._under_way_until_ms[name] = until_ms

    def taken_with(self, token: str) -> Errand | None:
        """The errand that a courier has."""
        name = self._takings.get(token)
        return None if name is None else decode_errand(name, token, self._records.read(name))

    def holds(self, errand: Errand) -> bool:
        """Whether an errand is its courier's."""
        return self._takings.get(errand.token) == errand.id

    def postpone(self, errand: Errand, now_ms: int, delay_ms: int) -> bool:
        """Take an errand from its courier until it is due again; False when it is not that courier's."""
        if self._records.read(errand.id).get("postponed") == errand.token:
            return True
        if not self.holds(errand):
            return False
        self._let_go(errand.id)
        self._leave_line(errand.id)  # where it is again if its lease lapsed
        self._records.update(errand.id, postponed=errand.token)
        self._later_at_ms[errand.id] = now_ms + delay_ms
        if delay_ms == 0:
            self.events.tell()
        return True

    def _line_of(self, name: str) -> tuple[ErrandKind, str]:
        _, kind, _ = parse_errand_name(name)
        return kind, self._records.read(name)["account"]

    def _enter_line(self, name: str, due_at_ms: int) -> None:
        self._lines.setdefault(self._line_of(name), {})[name] = due_at_ms

    def _leave_line(self, name: str) -> None:
        """Take an errand away from where couriers find it, whether it is due by now or not."""
        self._later_at_ms.pop(name, None)
        line = self._line_of(name)
        if line in self._lines:
            self._lines[line].pop(name, None)
            if not self._lines[line]:
                del self._lines[line]

    def _let_go(self, name: str) -> None:
        token = self._records.read(name).get("token")
        if token is not None:
            del self._takings[token]
            del self._under_way_until_ms[name]
            self._records.remove(name, "token")


def fetch_name(item: str) -> str:
    """The name of the errand that fetches an item."""
    uid, index = item.split(":")
    return errand_name(TaskUid(uid), ErrandKind.FETCH, int(index))


def _delivery_names(uid: TaskUid, deliveries: tuple[Delivery, ...]) -> list[str]:
    return [errand_name(uid, ErrandKind(each.kind), place) for place, each in enumerate(deliveries)]
