"""Every metric by name: what it counts, in which unit, by which labels, and which process has it.

Labels have few values: no account, no task and no address is one. `docs/metrics.md` is made from these rows, and
dashboards use no other names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cutgate.jobs.record import ErrandKind


class Kind(StrEnum):
    """How a metric behaves, as Prometheus names it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Part(StrEnum):
    """A process that is scraped."""

    GATEWAY = "gateway"
    WORKER = "worker"
    COURIER = "courier"
    LEDGER = "ledger"
    """No process: what the ledger holds, which each gateway reads when it is scraped."""


OPEN: Final[tuple[str, ...]] = ()
"""For a label whose values are known only once they are there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metric:
    """One row."""

    name: str
    """As it is scraped; of a histogram without `_bucket`, `_sum` and `_count`. A counter's ends with `_total`."""
    parts: tuple[Part, ...]
    help: str
    unit: str
    """What a value counts, or is measured in."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Each label with all of its values; `OPEN` where they depend on settings or callers."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in its unit."""

    @property
    def kind(self) -> Kind:
        """How it behaves."""
        if self.buckets:
            return Kind.HISTOGRAM
        return Kind.COUNTER if self.name.endswith("_total") else Kind.GAUGE


_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STEP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS: Final = Metric(
    name="cutgate_requests_total",
    parts=(Part.GATEWAY,),
    help="Answered requests, by the protocol's action and code, else by view and HTTP status. Each "
    "Runware task counts, by its type.",
    unit="requests",
    labels={"facade": OPEN, "action": OPEN, "code": OPEN},
)
REQUEST_SECONDS: Final = Metric(
    name="cutgate_request_seconds",
    parts=(Part.GATEWAY,),
    help="Time from a request's head, or a frame, to its answer, including any wait for a result.",
    unit="seconds",
    labels={"facade": OPEN, "action": OPEN},
    buckets=_REQUEST_SECONDS,
)
SUBMIT_SECONDS: Final = Metric(
    name="cutgate_submit_seconds",
    parts=(Part.GATEWAY,),
    help="Time to accept a task once its request was read.",
    unit="seconds",
    buckets=_REQUEST_SECONDS,
)
PEERS_CUT_OFF: Final = Metric(
    name="cutgate_peers_cut_off_total",
    parts=(Part.GATEWAY,),
    help="Connections that were cut off: too slow a head, body or answer, no space left for a large body, or "
    "too many connections.",
    unit="connections",
    labels={"reason": ("head", "body", "answer", "turn", "connections")},
)
SOCKETS_OPEN: Final = Metric(
    name="cutgate_sockets_open",
    parts=(Part.GATEWAY,),
    help="Open WebSockets.",
    unit="sockets",
)
CALLERS_HELD: Final = Metric(
    name="cutgate_callers_held",
    parts=(Part.GATEWAY,),
    help="HTTP callers that wait for a result without a request thread.",
    unit="callers",
)

LEDGER_UP: Final = Metric(
    name="cutgate_ledger_up",
    parts=(Part.LEDGER,),
    help="1 if Redis answered this scrape. If not, the other ledger metrics are missing.",
    unit="yes or no",
)
LEDGER_MEMORY_BYTES: Final = Metric(
    name="cutgate_ledger_memory_bytes",
    parts=(Part.LEDGER,),
    help="Memory that Redis uses.",
    unit="bytes",
)
LEDGER_MEMORY_LIMIT_BYTES: Final = Metric(
    name="cutgate_ledger_memory_limit_bytes",
    parts=(Part.LEDGER,),
    help="Redis's `maxmemory`, 0 for none. New tasks are refused at 90 %.",
    unit="bytes",
)
INSTALLATION_WHOLE: Final = Metric(
    name="cutgate_installation_whole",
    parts=(Part.LEDGER,),
    help="0 if ledger and storage do not belong together: one of them is empty, lost or another installation's.",
    unit="yes or no",
)
ITEMS_WAITING: Final = Metric(
    name="cutgate_items_waiting",
    parts=(Part.LEDGER,),
    help="Items waiting for a worker.",
    unit="items",
    labels={"lane": OPEN},
)
OLDEST_WAITING_SECONDS: Final = Metric(
    name="cutgate_oldest_waiting_seconds",
    parts=(Part.LEDGER,),
    help="Age of the oldest waiting item's task; 0 if none waits.",
    unit="seconds",
    labels={"lane": OPEN},
)
DELETION_BACKLOG: Final = Metric(
    name="cutgate_deletion_backlog",
    parts=(Part.LEDGER,),
    help="Sources, tasks and uploads that are past their time and not deleted yet.",
    unit="records",
)
ITEMS_RUNNING: Final = Metric(
    name="cutgate_items_running",
    parts=(Part.LEDGER,),
    help="Items claimed by a worker.",
    unit="items",
    labels={"lane": OPEN},
)
WORKERS_ALIVE: Final = Metric(
    name="cutgate_workers_alive",
    parts=(Part.LEDGER,),
    help="Workers that have announced themselves recently.",
    unit="workers",
    labels={"lane": OPEN},
)
SCALES_TO_ZERO: Final = Metric(
    name="cutgate_scales_to_zero",
    parts=(Part.LEDGER,),
    help="1 if `CUTGATE_SCALE_TO_ZERO` says that workers may be missing while nothing waits.",
    unit="yes or no",
)
ERRANDS_DUE: Final = Metric(
    name="cutgate_errands_due",
    parts=(Part.LEDGER,),
    help="Errands waiting for a courier.",
    unit="errands",
)
CREDITS_BOOKED: Final = Metric(
    name="cutgate_credits_booked_total",
    parts=(Part.LEDGER,),
    help="Price of all finished items, unmetered accounts included.",
    unit="credits",
)

CLAIMS: Final = Metric(
    name="cutgate_claims_total",
    parts=(Part.WORKER,),
    help="Claims of items. again: after a worker was lost.",
    unit="claims",
    labels={"attempt": ("first", "again")},
)
ITEMS: Final = Metric(
    name="cutgate_items_total",
    parts=(Part.WORKER,),
    help="Ended claims. lost: the item was taken back or terminated meanwhile.",
    unit="items",
    labels={"outcome": ("done", "failed", "lost")},
)
ITEM_ERRORS: Final = Metric(
    name="cutgate_item_errors_total",
    parts=(Part.WORKER,),
    help="Items that failed in a worker, by kind of error.",
    unit="items",
    labels={"kind": OPEN},
)
RESULTS: Final = Metric(
    name="cutgate_results_total",
    parts=(Part.WORKER,),
    help="Finished items. none: no subject was found, and the result is transparent.",
    unit="items",
    labels={"subject": ("found", "none")},
)
RESULT_CONFIDENCE: Final = Metric(
    name="cutgate_result_confidence",
    parts=(Part.WORKER,),
    help="Confidence of finished items, from models that have one. A fall says that pictures have changed.",
    unit="probability",
    labels={"lane": OPEN},
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
)
PIXELS: Final = Metric(
    name="cutgate_pixels_total",
    parts=(Part.WORKER,),
    help="Pixels of the pictures read.",
    unit="pixels",
)
ITEM_SECONDS: Final = Metric(
    name="cutgate_item_seconds",
    parts=(Part.WORKER,),
    help="Time from an item's claim until it was finished.",
    unit="seconds",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
STEP_SECONDS: Final = Metric(
    name="cutgate_step_seconds",
    parts=(Part.WORKER,),
    help="Time of each step of an item, without gaps between steps.",
    unit="seconds",
    labels={"step": OPEN},
    buckets=_STEP_SECONDS,
)
WORKER_INFO: Final = Metric(
    name="cutgate_worker_info",
    parts=(Part.WORKER,),
    help="1, labelled with what runs the network, and whether decoders of pictures are confined; missing while no"
    " network is loaded.",
    unit="1",
    labels=dict.fromkeys(("model", "precision", "engine", "provider", "dtype"), OPEN)
    | {"decoder": ("confined", "unconfined")},
)
CHILDREN_GONE: Final = Metric(
    name="cutgate_children_gone_total",
    parts=(Part.WORKER,),
    help="Computing processes of a worker that ended, replaced ones included.",
    unit="processes",
    labels={"end": ("died", "stopped")},
)
ITEMS_TAKEN_BACK: Final = Metric(
    name="cutgate_items_taken_back_total",
    parts=(Part.WORKER,),
    help="Items held by a computing process when it ended.",
    unit="items",
)

REAPED: Final = Metric(
    name="cutgate_reaped_total",
    parts=(Part.GATEWAY, Part.WORKER),
    help="Items whose lease or time expired, by what the reaper did. Sum over all processes.",
    unit="items",
    labels={"outcome": ("renewed", "requeued", "worker_lost", "too_slow", "too_late")},
)
HINTS_RESENT: Final = Metric(
    name="cutgate_hints_resent_total",
    parts=(Part.GATEWAY, Part.WORKER),
    help="Lost hints that the reaper sent again.",
    unit="hints",
)

ERRANDS: Final = Metric(
    name="cutgate_errands_total",
    parts=(Part.COURIER,),
    help="Errands run. again: postponed after a fault of the other side; given_up: for good; moot: nothing "
    "left to do; interrupted: a part of this service was down.",
    unit="errands",
    labels={
        "kind": tuple(ErrandKind),
        "outcome": ("done", "again", "given_up", "moot", "interrupted"),
    },
)

METRICS: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
"""All rows, in the order in which they are written."""
