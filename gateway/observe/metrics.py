"""The gateway's metrics: what its requests are counted as, what the ledger holds, and the port that shows both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import g, request
from prometheus_client import make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.observe import metric_names as names
from cutgate.jobs.observe import metrics
from cutgate.jobs.ports import Ledger, Presence
from cutgate.jobs.spec import Lane
from cutgate.scratch import scratch_folder

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OTHER: Final = "other"
"""What a request is counted as that names no action that there is: callers must not make up label values."""


def count_answer(facade: str, action: str, code: int | str, seconds: float) -> None:
    """Count what a façade answers, whatever carried the request, and how long it took."""
    metrics.count(names.REQUESTS, facade=facade, action=action, code=code)
    metrics.observe(names.REQUEST_SECONDS, seconds, facade=facade, action=action)


def count_as(action: str, code: int) -> None:
    """Have the present request counted as an action of its protocol, and by the code that it is answered with."""
    g.counted_as = (action, code)


def count_no_more() -> None:
    """Leave the present request out: its façade counts what it holds, each by itself."""
    g.is_counted = True


def count_request(facade: str, status: int, seconds: float) -> None:
    """Count the present request of a façade, which is about to be answered, and how long it took."""
    if not g.get("is_counted"):
        view = (request.endpoint or OTHER).rpartition(".")[2]
        action, code = g.get("counted_as") or (view, status)
        count_answer(facade, action, code, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCollector(Collector):
    """Reads the ledger whenever it is scraped."""

    store: Ledger
    presence: Presence
    lanes: Callable[[], frozenset[Lane]]
    """Those in which something may come to wait."""
    scales_to_zero: bool = False

    @override
    def collect(self) -> Iterable[Metric]:
        """What the ledger holds, or that it does not answer."""
        try:
            return [_gauge(names.LEDGER_UP, 1), *self._figures()]
        except LedgerUnavailable:
            return [_gauge(names.LEDGER_UP, 0)]

    def _figures(self) -> Iterator[Metric]:
        figures, memory = self.store.figures(), self.store.server.memory()
        yield _gauge(names.LEDGER_MEMORY_BYTES, memory.used_bytes)
        yield _gauge(names.LEDGER_MEMORY_LIMIT_BYTES, memory.limit_bytes)
        yield _gauge(names.INSTALLATION_WHOLE, self.store.server.wrong is None)
        alive = Counter(worker.lane for worker in self.presence.alive())
        # What scales workers has to find a lane before its first item, and while no worker is there.
        none: dict[Lane, float] = dict.fromkeys(self.lanes() | alive.keys(), 0)
        waiting = none | {lane.lane: lane.waiting for lane in figures.lanes}
        oldest = none | {lane.lane: lane.oldest_seconds for lane in figures.lanes}
        yield _by_lane(names.ITEMS_WAITING, waiting)
        yield _by_lane(names.OLDEST_WAITING_SECONDS, oldest)
        yield _by_lane(names.WORKERS_ALIVE, {name: alive[name] for name in waiting})
        yield _by_lane(names.ITEMS_RUNNING, none | {lane.lane: lane.running for lane in figures.lanes})
        yield _gauge(names.SCALES_TO_ZERO, self.scales_to_zero)
        yield _gauge(names.DELETION_BACKLOG, figures.overdue)
        yield _gauge(names.ERRANDS_DUE, self.store.errands.due())
        yield CounterMetricFamily(names.CREDITS_BOOKED.name, names.CREDITS_BOOKED.help, value=figures.booked)


def _gauge(row: names.Metric, value: float) -> Metric:
    return GaugeMetricFamily(row.name, row.help, value=value)


def _by_lane(row: names.Metric, values: dict[Any, float]) -> Metric:
    family = GaugeMetricFamily(row.name, row.help, labels=tuple(row.labels))
    for lane, value in values.items():
        family.add_metric([lane], value)
    return family


class MetricsPort:
    """WSGI middleware: requests to one port are the operator's, and those to the others see nothing of it.

    They are scrapes, but for the paths of a few other pages, and what lies below them.
    The port is the one that the connection came in at: no header can say another.
    """

    def __init__(
        self,
        app: WSGIApplication,
        port: int,
        collector: Collector,
        pages: Mapping[str, Callable[[], WSGIApplication]],
    ) -> None:
        self._app = app
        self._port = str(port)
        self._pages = pages
        self._scrapes: WSGIApplication = make_wsgi_app(metrics.registry([collector]))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["SERVER_PORT"] != self._port:
            return self._app(environ, start_response)
        page = self._pages.get("/".join(environ["PATH_INFO"].split("/", 2)[:2]))
        return (self._scrapes if page is None else page())(environ, start_response)


@contextmanager
def shown(processes: int) -> Iterator[None]:
    """Count as long as the block lasts: in this process, or in all that it forks meanwhile together.

    To be called in the server's first process, before anything is counted.
    """
    with ExitStack() as undo:
        if processes > 1:
            metrics.share_between_processes(undo.enter_context(scratch_folder(metrics.folder_parent())))
        metrics.begin(names.Part.GATEWAY)
        yield
