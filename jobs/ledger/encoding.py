"""How records are stored: Redis hashes of text, with JSON where a part has structure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from functools import lru_cache
from typing import Any, Final

from cutgate.jobs.answers import Allowance, WorkerPresence
from cutgate.jobs.errors import (
    IdempotencyConflict,
    InsufficientCredits,
    QueueFull,
    SourceExpired,
    SubmissionRefused,
    TaskTooLarge,
    UploadsFull,
)
from cutgate.jobs.ids import BlobKey, TaskUid, background_key, fetched_key
from cutgate.jobs.ledger.keys import parse_errand_name
from cutgate.jobs.record import (
    Delivery,
    Errand,
    ErrandKind,
    ErrorFacts,
    Item,
    ItemState,
    RateUse,
    Request,
    Result,
    Task,
    Upload,
    status_of,
)
from cutgate.jobs.spec import Box, CutoutSpec, Lane

_TOO_OLD: Final = "the pictures were uploaded too long ago; send them again"
_PLAIN_VALUES: Final = 6
"""Of a result that has no composition."""


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


def encode_result(result: Result) -> str:
    """A result as a list in JSON, in the order of its fields: every finished item keeps one.

    What only a composition makes known comes last, and is left out without one.
    """
    known = [str(result.blob), *astuple(result)[1:_PLAIN_VALUES]]
    if result.full_width_px is not None:
        known += [result.full_width_px, result.full_height_px]
        known += [] if result.foreground is None else result.foreground.model_dump().values()
    return json.dumps(known, separators=(",", ":"))


def decode_result(text: str) -> Result:
    """The inverse of `encode_result`."""
    return _result(json.loads(text))


def _result(values: Sequence[Any]) -> Result:
    blob, media_type, width_px, height_px, size_bytes, subject_found = values[:_PLAIN_VALUES]
    full_width_px, full_height_px, *limits = values[_PLAIN_VALUES:] or (None, None)
    return Result(
        blob=BlobKey.parse(blob),
        media_type=media_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=size_bytes,
        subject_found=subject_found,
        full_width_px=full_width_px,
        full_height_px=full_height_px,
        foreground=Box(**dict(zip(Box.model_fields, limits, strict=True))) if limits else None,
    )


def encode_error(error: ErrorFacts) -> str:
    """The facts of an error as JSON."""
    return json.dumps({"kind": error.kind, "message": error.message, "details": dict(error.details)})


def decode_error(text: str) -> ErrorFacts:
    """The inverse of `encode_error`."""
    return ErrorFacts(**json.loads(text))


def encode_presence(worker: WorkerPresence) -> str:
    """What a worker says of itself, as JSON."""
    return json.dumps(asdict(worker))


def decode_presence(text: str) -> WorkerPresence:
    """The inverse of `encode_presence`."""
    said = json.loads(text)
    return WorkerPresence(**said | {"lane": Lane(said["lane"])})


def encode_upload(upload: Upload) -> str:
    """An upload as JSON."""
    return json.dumps(asdict(upload) | {"blob": str(upload.blob)})


def decode_upload(text: str) -> Upload:
    """The inverse of `encode_upload`."""
    said = json.loads(text)
    return Upload(**said | {"blob": BlobKey.parse(said["blob"])})


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


def encode_deliveries(deliveries: Sequence[Delivery]) -> str:
    """What a task's end makes due, as JSON."""
    return json.dumps([{"kind": delivery.kind, "url": delivery.url} for delivery in deliveries])


def encode_request(request: Request) -> str:
    """The request that made a task, as JSON; empty where nothing is known of it."""
    said = {"uuid": request.uuid, "traceparent": request.traceparent}
    known = {name: value for name, value in said.items() if value}
    return json.dumps(known) if known else ""


def decode_request(text: str | None) -> Request:
    """The inverse of `encode_request`; None, from a task that was made without, reads as empty."""
    known = json.loads(text) if text else {}
    return Request(uuid=known.get("uuid", ""), traceparent=known.get("traceparent", ""))


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
        source=fetched_key(task, index, token) if kind is ErrandKind.FETCH and said["url"] and not keep else None,
        keep=keep,
        background=background_key(task, index, token) if said.get("background_url") else None,
        background_url=said.get("background_url") or "",
        attempt=int(said["attempt"]),
        first_due_at_ms=int(said["first_due_at_ms"]),
        now_ms=int(said["taken_at_ms"]),
        token=token,
        request=decode_request(said.get("request")),
    )


TASK_FIELDS: Final = (
    *("account", "ended_at_ms", "hidden", "retention_ms", "item_count", "items", "terminated", "memo"),
    *("origin", "started", "open_count", "done_count", "created_at_ms", "booked"),
)
ITEM_FIELDS: Final = ("state", "price", "attempts", "result", "error", "charged")
"""What READ answers of a task and of each of its items."""


def decode_task(uid: TaskUid, answer: Sequence[Any] | None) -> Task | None:
    """A task from what READ answers: the fields of its hash and then of its items'; None where there is none."""
    if answer is None:
        return None
    task, items = answer[: len(TASK_FIELDS)], answer[len(TASK_FIELDS) :]
    account, ended_at_ms, _, _, item_count, gathered, terminated, memo, *more = task
    origin, started, open_count, done_count, created_at_ms, booked = more
    if terminated is not None:
        error = decode_error(terminated)
        known = [Item(index=index, state=ItemState.FAILED, error=error) for index in range(int(item_count))]
    elif gathered is not None:
        known = [_gathered_item(index, *item) for index, item in enumerate(json.loads(gathered))]
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
    )


def _gathered_item(
    index: int,
    state: str,
    price: int,
    attempts: int,
    result: list[Any] | None,
    error: dict[str, Any] | None,
    charged: int,
) -> Item:
    """An item of a task that has ended, as the task's hash has it."""
    return Item(
        index=index,
        state=ItemState(state),
        price=price,
        attempts=attempts,
        result=None if result is None else _result(result),
        error=None if error is None else ErrorFacts(**error),
        charged=charged == 1,
    )


def _item(
    index: int,
    state: str,
    price: str,
    attempts: str,
    result: str | None,
    error: str | None,
    charged: str | None,
) -> Item:
    """An item as its own hash has it."""
    return Item(
        index=index,
        state=ItemState(state),
        price=int(price),
        attempts=int(attempts),
        result=None if result is None else decode_result(result),
        error=None if error is None else decode_error(error),
        charged=charged is not None,
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
