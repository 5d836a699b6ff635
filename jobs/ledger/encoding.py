"""How records are stored: Redis hashes of text, with JSON where a part has structure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter
from typing_extensions import override

from cutgate.jobs.answers import Allowance, Progress, WorkerPresence
from cutgate.jobs.errors import (
    NOT_THE_PICTURES,
    IdempotencyConflict,
    InsufficientCredits,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
    TaskTooLarge,
    UploadsFull,
)
from cutgate.jobs.ids import TaskUid, background_key, source_key
from cutgate.jobs.ledger.keys import parse_errand_name
from cutgate.jobs.record import (
    Delivery,
    Errand,
    ErrandKind,
    ErrorFacts,
    Item,
    ItemState,
    Phase,
    RateUse,
    Request,
    Result,
    Task,
    Upload,
    status_of,
)
from cutgate.jobs.spec import CutoutSpec

Record = TypeVar("Record")

_TOO_OLD: Final = "the pictures were uploaded too long ago; send them again"


class Stored(Generic[Record]):
    """How records of a kind are stored: JSON, without what is as usual."""

    def __init__(self, kind: type[Record]) -> None:
        self._adapter = TypeAdapter(kind)

    def encode(self, record: Record) -> str:
        """A record as JSON."""
        return self._adapter.dump_json(record, exclude_defaults=True).decode()

    def decode(self, stored: Any) -> Record:
        """The inverse: of a text, or of its value where it was a part of other JSON."""
        if isinstance(stored, str):
            return self._adapter.validate_json(stored)
        return self._adapter.validate_python(stored)


class _StoredResult(Stored[Result]):
    """Without the names of the fields: they would be a tenth of what a finished task takes."""

    _names: Final = tuple(field.name for field in fields(Result))

    @override
    def encode(self, record: Result) -> str:
        values = list(self._adapter.dump_python(record, mode="json").values())
        while values[-1] is None:
            values.pop()
        return json.dumps(values, separators=(",", ":"))

    @override
    def decode(self, stored: Any) -> Result:
        values = json.loads(stored) if isinstance(stored, str) else stored
        return super().decode(dict(zip(self._names, values, strict=False)))


REQUEST: Final = Stored(Request)
RESULT: Final = _StoredResult(Result)
UPLOAD: Final = Stored(Upload)
PRESENCE: Final = Stored(WorkerPresence)
DELIVERIES: Final = Stored(tuple[Delivery, ...])
ERROR: Final = Stored(ErrorFacts)


def milliseconds(seconds: float) -> int:
    """A duration as the stores count it."""
    return round(seconds * 1000)


@lru_cache(256)  # most requests ask for one of few
def encode_spec(spec: CutoutSpec) -> str:
    """A spec as JSON."""
    return spec.model_dump_json()


def decode_spec(text: str) -> CutoutSpec:
    """The inverse of `encode_spec`."""
    return CutoutSpec.model_validate_json(text)


def encode_error(error: ErrorFacts) -> str:
    """The facts of an error as JSON."""
    facts = {"kind": error.kind, "message": error.message, "details": dict(error.details)}
    return json.dumps({**facts, "blameless": True} if error.kind in NOT_THE_PICTURES else facts)


def encode_rate(use: RateUse) -> dict[str, Any]:
    """A use of a rate as the scripts take it."""
    return {"name": use.name, "limit": use.limit, "window_us": use.seconds * 1_000_000, "weight": use.weight}


def decode_allowance(use: RateUse, answer: Sequence[int]) -> Allowance:
    """What the scripts answer to a use of a rate."""
    granted, remaining, now_us, left_us = answer
    return Allowance(
        granted=granted == 1,
        limit=use.limit,
        remaining=remaining,
        frees_at_seconds=(now_us + left_us) / 1_000_000,
        frees_in_seconds=left_us / 1_000_000,
    )


def decode_errand(name: str, token: str, said: Mapping[str, str]) -> Errand:
    """An errand that was taken, from its hash."""
    task, kind, number = parse_errand_name(name)
    index = number if kind is ErrandKind.FETCH else 0
    keep = said["keep"] == "1"
    return Errand(
        id=name,
        kind=kind,
        task=task,
        index=index,
        account=said["account"],
        url=said["url"],
        source=source_key(task, index, token) if kind is ErrandKind.FETCH and said["url"] and not keep else None,
        keep=keep,
        background=background_key(task, index, token) if said.get("background_url") else None,
        background_url=said.get("background_url") or "",
        attempt=int(said["attempt"]),
        first_due_at_ms=int(said["first_due_at_ms"]),
        now_ms=int(said["taken_at_ms"]),
        token=token,
        request=REQUEST.decode(said.get("request") or "{}"),
    )


TASK_FIELDS: Final = (
    *("account", "ended_at_ms", "hidden", "retention_ms", "item_count", "items", "terminated", "memo"),
    *("origin", "started", "open_count", "done_count", "created_at_ms", "booked", "retries"),
)
ITEM_FIELDS: Final = ("state", "price", "attempts", "result", "error", "charged")
"""What READ answers of a task and of each of its items."""


def decode_task(uid: TaskUid, answer: Sequence[Any] | None) -> Task | None:
    """A task from what READ answers: the fields of its hash and then of its items'; None where there is none."""
    if answer is None:
        return None
    task, items = answer[: len(TASK_FIELDS)], answer[len(TASK_FIELDS) :]
    account, ended_at_ms, _, _, item_count, gathered, terminated, memo, *more = task
    origin, started, open_count, done_count, created_at_ms, booked, retries = more
    if terminated is not None:
        error = ERROR.decode(terminated)
        known = [Item(index=index, state=ItemState.FAILED, error=error) for index in range(int(item_count))]
    elif gathered is not None:
        known = [_item(index, *item) for index, item in enumerate(json.loads(gathered))]
    else:
        known = [_item(index, *item) for index, item in enumerate(items)]
    return Task(
        uid=uid,
        account=account,
        origin=origin,
        status=status_of(started=started == "1", open_count=int(open_count), done_count=int(done_count)),
        created_at_ms=int(created_at_ms),
        ended_at_ms=None if ended_at_ms is None else int(ended_at_ms),
        items=tuple(known),
        booked=sum(item.price for item in known if item.booked) if known else int(booked or 0),
        memo=memo,
        retries=int(retries or 0),
    )


def decode_progress(uid: TaskUid, answer: Sequence[Any]) -> Progress | None:
    """How far a task is from what PROGRESS answers; None where there is none."""
    fields, place, phase = answer
    task = decode_task(uid, fields)
    return None if task is None else Progress(task=task, place=place, phase=phase and Phase(phase))


_HOLD_FIELDS: Final = ("claimed_at_ms", "held_ms", "phase", "end", "owner")
TRAIL_FIELDS: Final = ("owner", "phase", "source", "background", "history")
"""What an operator is shown of an item besides."""


def decode_trail(fields: Sequence[str | None]) -> dict[str, Any]:
    """These fields of an item's hash, by name; its `history` as a list, the oldest of its last claims first."""
    trail: dict[str, Any] = dict(zip(TRAIL_FIELDS, fields, strict=True))
    lines = (line.split(" ") for line in (trail["history"] or "").splitlines())
    holds = [dict(zip(_HOLD_FIELDS, (int(begun), int(held), *more), strict=True)) for begun, held, *more in lines]
    return trail | {"history": holds}


def _item(
    index: int,
    state: str,
    price: str | int,
    attempts: str | int,
    result: str | list[Any] | None,
    error: str | dict[str, Any] | None,
    charged: str | int | None,
) -> Item:
    """An item as its own hash has it, or among those of a task that has ended as the task's hash has it."""
    return Item(
        index=index,
        state=ItemState(state),
        price=int(price),
        attempts=int(attempts),
        result=None if result is None else RESULT.decode(result),
        error=None if error is None else ERROR.decode(error),
        charged=bool(int(charged or 0)),
    )


def refusal_of(verdict: str, facts: Sequence[Any]) -> SubmissionRefused:
    """The error for a refusal of CREATE, KEEP_UPLOAD, KEPT or LOOK."""
    match (verdict, *facts):
        case ("credits", available, price):
            return InsufficientCredits(available, price)
        case ("full", scope, open_count, cap, over, ends_per_second):
            return QueueFull(scope, open_count, cap, over=over, ends_per_second=float(ends_per_second))
        case ("too_many", scope, item_count, cap):
            return TaskTooLarge(scope, item_count, cap)
        case ("uploads", measure, kept, cap):
            return UploadsFull(measure, kept, cap)
        case ("expired",):
            return SourceExpired(_TOO_OLD)
        case ("conflict",):
            return IdempotencyConflict("the idempotency key was used before with other content")
        case _:
            raise ValueError(f"a script answered {verdict!r}")
