"""What became of every item, read from the server's append-only file: it holds every change that ever took effect.

The ledger itself keeps an item's last state only. An item that finished twice, or ran four times, shows here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.record import ItemState

_TIME_OF: Final = {"running": b"claimed_at_ms", "done": b"ended_at_ms", "failed": b"ended_at_ms"}


@dataclass(slots=True)
class ItemHistory:
    """One item's changes, as times in milliseconds since the epoch."""

    claimed_ms: list[int] = field(default_factory=list)
    done_ms: list[int] = field(default_factory=list)
    failed_ms: list[int] = field(default_factory=list)
    lost_with_master: int = 0
    """Changes that a master took to its end without passing them on, its creation among them."""
    is_forgotten: bool = False
    """Its creation was such a change."""

    @property
    def end_count(self) -> int:
        """How often it ended: once, if all is well."""
        return len(self.done_ms) + len(self.failed_ms)

    @property
    def reruns_ms(self) -> list[int]:
        """From each claim that came to nothing to the next one."""
        return [later - earlier for earlier, later in pairwise(self.claimed_ms)]


def read_history(*redis_dirs: Path) -> Mapping[str, ItemHistory]:
    """The history of every item, by its name `<task uid>:<index>`, from the folders of all masters in order."""
    of_each = [_read(folder) for folder in redis_dirs]
    names = {name for histories in of_each for name in histories}
    return defaultdict(ItemHistory, {name: _joined([each.get(name) for each in of_each]) for name in names})


def _joined(parts: Sequence[ItemHistory | None]) -> ItemHistory:
    """One history of those that several masters have.

    What one passed on stands in its own file and in its successor's; what stands in its own alone is lost with it.
    """
    *_, last = parts
    known = [part for part in parts if part is not None]
    if len(parts) == 1:
        return known[0]
    joined = ItemHistory(is_forgotten=last is None and len(known) == 1)
    joined.lost_with_master += joined.is_forgotten
    for kind in ("claimed_ms", "done_ms", "failed_ms"):
        files = Counter(time_ms for part in known for time_ms in set(getattr(part, kind)))
        lasting = set(getattr(last, kind, ())) | {time_ms for time_ms, count in files.items() if count > 1}
        setattr(joined, kind, sorted(lasting))
        joined.lost_with_master += len(files.keys() - lasting)
    return joined


def _read(redis_dir: Path) -> Mapping[str, ItemHistory]:
    files = sorted(redis_dir.glob("appendonlydir/*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))
    items: defaultdict[str, ItemHistory] = defaultdict(ItemHistory)
    prefix = f"{KEY_PREFIX}item:".encode()
    for file in files:
        for name, key, *pairs in _commands(file.read_bytes()):
            if name.upper() == b"HSET" and key.startswith(prefix):
                _note(items[key.removeprefix(prefix).decode()], dict(zip(pairs[::2], pairs[1::2], strict=True)))
    return items


def next_end_seconds(items: Iterable[ItemHistory], faults_ms: Sequence[int]) -> list[float]:
    """From each fault to the next item that ended: how long the whole service stood still at most."""
    ends_ms = sorted(end_ms for item in items for end_ms in (*item.done_ms, *item.failed_ms))
    waits = (next((end_ms - fault_ms for end_ms in ends_ms if end_ms >= fault_ms), None) for fault_ms in faults_ms)
    return [wait_ms / 1000 for wait_ms in waits if wait_ms is not None]


def _note(item: ItemHistory, fields: Mapping[bytes, bytes]) -> None:
    """Take down a change of state; other writes change no state."""
    state = fields.get(b"state", b"").decode()
    if state not in _TIME_OF:
        return
    time_ms = int(fields[_TIME_OF[state]])
    match ItemState(state):
        case ItemState.RUNNING:
            item.claimed_ms.append(time_ms)
        case ItemState.DONE:
            item.done_ms.append(time_ms)
        case _:
            item.failed_ms.append(time_ms)


def _commands(data: bytes) -> Iterator[list[bytes]]:
    """Every command of an append-only file with an argument; one that is cut off at the end is left out."""
    at = 0
    with suppress(EOFError):
        while at < len(data):
            count, at = _number(data, at, b"*")
            words = []
            for _ in range(count):
                size, at = _number(data, at, b"$")
                words.append(data[at : at + size])
                at += size + 2
            if len(words) > 1 and at <= len(data):
                yield words


def _number(data: bytes, at: int, mark: bytes) -> tuple[int, int]:
    """The number after a mark, and where the text after it begins."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise EOFError
    if data[at : at + 1] != mark:
        raise ValueError(f"no append-only file: {data[at : at + 20]!r} where {mark!r} should be")
    return int(data[at + 1 : end]), end + 2
