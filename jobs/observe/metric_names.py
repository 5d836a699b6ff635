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


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One row."""

    name: str
    """As it is scraped; of a histogram without `_bucket`, `_sum` and `_count`. A counter's ends with `_total`."""
    parts: tuple[Part, ...]
    unit: str
    """What a value counts, or is measured in."""
    help: str
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


_GATEWAY, _WORKER, _COURIER, _LEDGER = ((part,) for part in Part)
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STEP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS: Final = Metric(
    "cutgate_requests_total",
    _GATEWAY,
    "requests",
    "Answered requests, by the protocol's action and code, else by view and HTTP status. Each Runware "
    "task counts, by its type.",
    labels={"facade": OPEN, "action": OPEN, "code": OPEN},
)
REQUEST_SECONDS: Final = Metric(
    "cutgate_request_seconds",
    _GATEWAY,
    "seconds",
    "Time from a request's head, or a frame, to its answer, including any wait for a result.",
    labels={"facade": OPEN, "action": OPEN},
    buckets=_REQUEST_SECONDS,
)
SUBMIT_SECONDS: Final = Metric(
    "cutgate_submit_seconds",
    _GATEWAY,
    "seconds",
    "Time to accept a task once its request was read.",
    buckets=_REQUEST_SECONDS,
)
PEERS_CUT_OFF: Final = Metric(
    "cutgate_peers_cut_off_total",
    _GATEWAY,
    "connections",
    "Connections that were cut off: too slow a head, body or answer, no space left for a large body, or "
    "too many connections.",
    labels={"reason": ("head", "body", "answer", "turn", "connections")},
)
SOCKETS_OPEN: Final = Metric("cutgate_sockets_open", _GATEWAY, "sockets", "Open WebSockets.")
CALLERS_HELD: Final = Metric(
    "cutgate_callers_held", _GATEWAY, "callers", "HTTP callers that wait for a result without a request thread."
)

LEDGER_UP: Final = Metric(
    "cutgate_ledger_up",
    _LEDGER,
    "yes or no",
    "1 if Redis answered this scrape. If not, the other ledger metrics are missing.",
)
LEDGER_MEMORY_BYTES: Final = Metric("cutgate_ledger_memory_bytes", _LEDGER, "bytes", "Memory that Redis uses.")
LEDGER_MEMORY_LIMIT_BYTES: Final = Metric(
    "cutgate_ledger_memory_limit_bytes",
    _LEDGER,
    "bytes",
    "Redis's `maxmemory`, 0 for none. New tasks are refused at 90 %.",
)
INSTALLATION_WHOLE: Final = Metric(
    "cutgate_installation_whole",
    _LEDGER,
    "yes or no",
    "0 if ledger and storage do not belong together: one of them is empty, lost or another installation's.",
)
ITEMS_WAITING: Final = Metric(
    "cutgate_items_waiting", _LEDGER, "items", "Items waiting for a worker.", labels={"lane": OPEN}
)
OLDEST_WAITING_SECONDS: Final = Metric(
    "cutgate_oldest_waiting_seconds",
    _LEDGER,
    "seconds",
    "Age of the oldest waiting item's task; 0 if none waits.",
    labels={"lane": OPEN},
)
DELETION_BACKLOG: Final = Metric(
    "cutgate_deletion_backlog",
    _LEDGER,
    "records",
    "Sources, tasks and uploads that are past their time and not deleted yet.",
)
ITEMS_RUNNING: Final = Metric(
    "cutgate_items_running", _LEDGER, "items", "Items claimed by a worker.", labels={"lane": OPEN}
)
WORKERS_ALIVE: Final = Metric(
    "cutgate_workers_alive",
    _LEDGER,
    "workers",
    "Workers that have announced themselves recently.",
    labels={"lane": OPEN},
)
SCALES_TO_ZERO: Final = Metric(
    "cutgate_scales_to_zero",
    _LEDGER,
    "yes or no",
    "1 if `CUTGATE_SCALE_TO_ZERO` says that workers may be missing while nothing waits.",
)
ERRANDS_DUE: Final = Metric("cutgate_errands_due", _LEDGER, "errands", "Errands waiting for a courier.")
CREDITS_BOOKED: Final = Metric(
    "cutgate_credits_booked_total", _LEDGER, "credits", "Price of all finished items, unmetered accounts included."
)

CLAIMS: Final = Metric(
    "cutgate_claims_total",
    _WORKER,
    "claims",
    "Claims of items. again: after a worker was lost.",
    labels={"attempt": ("first", "again")},
)
ITEMS: Final = Metric(
    "cutgate_items_total",
    _WORKER,
    "items",
    "Ended claims. lost: the item was taken back or terminated meanwhile.",
    labels={"outcome": ("done", "failed", "lost")},
)
ITEM_ERRORS: Final = Metric(
    "cutgate_item_errors_total",
    _WORKER,
    "items",
    "Items that failed in a worker, by kind of error.",
    labels={"kind": OPEN},
)
RESULTS: Final = Metric(
    "cutgate_results_total",
    _WORKER,
    "items",
    "Finished items. none: no subject was found, and the result is transparent.",
    labels={"subject": ("found", "none")},
)
RESULT_CONFIDENCE: Final = Metric(
    "cutgate_result_confidence",
    _WORKER,
    "probability",
    "Confidence of finished items, from models that have one. A fall says that pictures have changed.",
    labels={"lane": OPEN},
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
)
PIXELS: Final = Metric("cutgate_pixels_total", _WORKER, "pixels", "Pixels of the pictures read.")
ITEM_SECONDS: Final = Metric(
    "cutgate_item_seconds",
    _WORKER,
    "seconds",
    "Time from an item's claim until it was finished.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
STEP_SECONDS: Final = Metric(
    "cutgate_step_seconds",
    _WORKER,
    "seconds",
    "Time of each step of an item, without gaps between steps.",
    labels={"step": OPEN},
    buckets=_STEP_SECONDS,
)
WORKER_INFO: Final = Metric(
    "cutgate_worker_info",
    _WORKER,
    "1",
    "1, labelled with what runs the network, and whether decoders of pictures are confined; missing while "
    "no network is loaded.",
    labels=dict.fromkeys(("model", "precision", "engine", "provider", "dtype"), OPEN)
    | {"decoder": ("confined", "unconfined")},
)
CHILDREN_GONE: Final = Metric(
    "cutgate_children_gone_total",
    _WORKER,
    "processes",
    "Computing processes of a worker that ended, replaced ones included.",
    labels={"end": ("died", "stopped")},
)
ITEMS_TAKEN_BACK: Final = Metric(
    "cutgate_items_taken_back_total", _WORKER, "items", "Items held by a computing process when it ended."
)

REAPED: Final = Metric(
    "cutgate_reaped_total",
    (Part.GATEWAY, Part.WORKER),
    "items",
    "Items whose lease or time expired, by what the reaper did. Sum over all processes.",
    labels={"outcome": ("renewed", "requeued", "worker_lost", "too_slow", "too_late")},
)
HINTS_RESENT: Final = Metric(
    "cutgate_hints_resent_total", (Part.GATEWAY, Part.WORKER), "hints", "Lost hints that the reaper sent again."
)

ERRANDS: Final = Metric(
    "cutgate_errands_total",
    _COURIER,
    "errands",
    "Errands run. again: postponed after a fault of the other side; given_up: for good; moot: nothing "
    "left to do; interrupted: a part of this service was down.",
    labels={"kind": tuple(ErrandKind), "outcome": ("done", "again", "given_up", "moot", "interrupted")},
)

METRICS: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
"""All rows, in the order in which they are written."""
