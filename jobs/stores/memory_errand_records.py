"""The errands that the memory ledger knows. As in `memory_state`, nothing here takes the lock."""

from __future__ import annotations

from jobs.errands import Errand, ErrandKind
from jobs.ids import TaskUid
from jobs.record import Delivery
from jobs.stores.codec import decode_errand
from jobs.stores.keys import errand_name, item_name, parse_errand_name
from jobs.stores.memory_records import Records


class ErrandRecords:
    """Errands with their due times, and who has them."""

    def __init__(self) -> None:
        self._records = Records()
        self._due_at_ms: dict[str, int] = {}
        self._takings: dict[str, str] = {}
        """Token → errand that a courier has."""

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def add(self, name: str, account: str, url: str, now_ms: int) -> None:
        """Record an errand that is due from now on."""
        self._records.update(name, account=account, url=url, attempt=0, first_due_at_ms=now_ms)
        self._due_at_ms[name] = now_ms

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
        self._let_go(name)
        self._records.delete(name)
        self._due_at_ms.pop(name, None)

    def due(self, now_ms: int) -> list[str]:
        """The errands that wait for a courier, those that are due for longest first."""
        times = sorted((due_at_ms, name) for name, due_at_ms in self._due_at_ms.items())
        return [name for due_at_ms, name in times if due_at_ms <= now_ms]

    def fetches(self) -> list[str]:
        """The items that are still to be fetched."""
        names = map(parse_errand_name, self._records)
        return [item_name(uid, number) for uid, kind, number in names if kind is ErrandKind.FETCH]

    def take(self, name: str, owner: str, token: str, now_ms: int, until_ms: int) -> None:
        """Give an errand to a courier for a time."""
        self._let_go(name)
        self._records.update(name, token=token, owner=owner, taken_at_ms=now_ms)
        self._records.add(name, "attempt", 1)
        self._takings[token] = name
        self._due_at_ms[name] = until_ms

    def taken_with(self, token: str) -> Errand | None:
        """The errand that a courier has."""
        name = self._takings.get(token)
        return None if name is None else decode_errand(name, token, self._records.read(name))

    def holds(self, errand: Errand) -> bool:
        """Whether an errand is its courier's."""
        return self._takings.get(errand.token) == errand.id

    def postpone(self, errand: Errand, due_at_ms: int) -> bool:
        """Take an errand from its courier until it is due again; False when it is not that courier's."""
        if self._records.read(errand.id).get("postponed") == errand.token:
            return True
        if not self.holds(errand):
            return False
        self._let_go(errand.id)
        self._records.update(errand.id, postponed=errand.token)
        self._due_at_ms[errand.id] = due_at_ms
        return True

    def _let_go(self, name: str) -> None:
        token = self._records.read(name).get("token")
        if token is not None:
            del self._takings[token]
            self._records.remove(name, "token")


def fetch_name(item: str) -> str:
    """The name of the errand that fetches an item."""
    uid, index = item.split(":")
    return errand_name(TaskUid(uid), ErrandKind.FETCH, int(index))


def _delivery_names(uid: TaskUid, deliveries: tuple[Delivery, ...]) -> list[str]:
    return [errand_name(uid, ErrandKind(each.kind), place) for place, each in enumerate(deliveries)]
