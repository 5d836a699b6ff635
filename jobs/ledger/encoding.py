"""How the parts of a record are written in the stores: hashes of text, with JSON where a part has structure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from cutgate.jobs.ids import BlobKey, TaskUid, fetched_key
from cutgate.jobs.ledger.errands import Errand, ErrandKind
from cutgate.jobs.ledger.keys import parse_errand_name
from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.record import (
    Delivery,
    DeliveryKind,
    ErrorFacts,
    Item,
    ItemState,
    Request,
    Result,
    Task,
    Upload,
    status_of,
)
from cutgate.jobs.spec import CutoutSpec, Lane


def milliseconds(seconds: float) -> int:
    """A duration as the stores count it."""
    return round(seconds * 1000)


def encode_spec(spec: CutoutSpec) -> str:
    """A spec as JSON."""
    return spec.model_dump_json()


def decode_spec(text: str) -> CutoutSpec:
    """The inverse of `encode_spec`."""
    return CutoutSpec.model_validate_json(text)


def encode_result(result: Result) -> str:
    """A result as JSON."""
    return json.dumps(asdict(result) | {"blob": str(result.blob)})


def decode_result(text: str) -> Result:
    """The inverse of `encode_result`."""
    fields = json.loads(text)
    return Result(**fields | {"blob": BlobKey.parse(fields["blob"])})


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
    fields = json.loads(text)
    return WorkerPresence(**fields | {"lane": Lane(fields["lane"])})


def encode_upload(upload: Upload) -> str:
    """An upload as JSON."""
    return json.dumps(asdict(upload) | {"blob": str(upload.blob)})


def decode_upload(text: str) -> Upload:
    """The inverse of `encode_upload`."""
    fields = json.loads(text)
    return Upload(**fields | {"blob": BlobKey.parse(fields["blob"])})


def encode_deliveries(deliveries: Sequence[Delivery]) -> str:
    """What a task's end makes due, as JSON."""
    return json.dumps([{"kind": delivery.kind, "url": delivery.url} for delivery in deliveries])


def decode_deliveries(text: str) -> tuple[Delivery, ...]:
    """The inverse of `encode_deliveries`."""
    return tuple(Delivery(kind=DeliveryKind(fields["kind"]), url=fields["url"]) for fields in json.loads(text))


def encode_request(request: Request) -> str:
    """The request that made a task, as JSON; empty where nothing is known of it."""
    known = {name: value for name, value in asdict(request).items() if value}
    return json.dumps(known) if known else ""


def decode_request(text: str | None) -> Request:
    """The inverse of `encode_request`; None, from a task that was made without, reads as empty."""
    known = json.loads(text) if text else {}
    return Request(uuid=known.get("uuid", ""), traceparent=known.get("traceparent", ""))


def decode_errand(name: str, token: str, fields: Mapping[str, str]) -> Errand:
    """An errand that was taken, from its hash."""
    task, kind, number = parse_errand_name(name)
    index = number if kind is ErrandKind.FETCH else 0
    keep = fields["keep"] == "1"
    return Errand(
        id=name,
        kind=kind,
        task=task,
        index=index,
        account=fields["account"],
        url=fields["url"],
        source=fetched_key(task, index, token) if kind is ErrandKind.FETCH and not keep else None,
        keep=keep,
        attempt=int(fields["attempt"]),
        first_due_at_ms=int(fields["first_due_at_ms"]),
        now_ms=int(fields["taken_at_ms"]),
        token=token,
        request=decode_request(fields.get("request")),
    )


def decode_item(index: int, fields: Mapping[str, str]) -> Item:
    """An item from its hash."""
    return Item(
        index=index,
        state=ItemState(fields["state"]),
        spec=decode_spec(fields["spec"]),
        source=BlobKey.parse(fields["source"]),
        price=int(fields["price"]),
        attempts=int(fields["attempts"]),
        result=decode_result(fields["result"]) if "result" in fields else None,
        error=decode_error(fields["error"]) if "error" in fields else None,
    )


def decode_task(uid: TaskUid, fields: Mapping[str, str], items: Sequence[Mapping[str, str]]) -> Task:
    """A task from its hash and its items' hashes in order."""
    return Task(
        uid=uid,
        account=fields["account"],
        origin=fields["origin"],
        status=status_of(
            started=fields["started"] == "1",
            open_count=int(fields["open_count"]),
            done_count=int(fields["done_count"]),
        ),
        created_at_ms=int(fields["created_at_ms"]),
        ended_at_ms=int(fields["ended_at_ms"]) if "ended_at_ms" in fields else None,
        items=tuple(decode_item(index, item) for index, item in enumerate(items)),
        memo=fields.get("memo", ""),
    )
