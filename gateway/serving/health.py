"""Whether this process lives, and whether the service can do work."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from flask import Blueprint, Response, jsonify

from cutgate.jobs.blobs.store import BlobStore
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ledger.presence import WorkerPresence
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.ledger.redis.presence import RedisPresence

CLOCK_SECONDS: Final = 300.0
"""How much the clocks of gateway and ledger may differ; from half the orphans' grace on nothing is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPages:
    """What supervisors and load balancers ask."""

    store: RedisLedger
    blobs: BlobStore
    presence: RedisPresence

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("health", __name__)
        routes.add_url_rule("/healthz", view_func=self.alive, provide_automatic_options=False)
        routes.add_url_rule("/readyz", view_func=self.ready, provide_automatic_options=False)
        return routes

    def alive(self) -> Response:
        """Answer: the process is able to."""
        return jsonify({"alive": True})

    def ready(self) -> Response:
        """Say whether ledger, blob store and a worker are there, and what is missing; 503 unless all are."""
        missing = [
            part
            for part, check in (("ledger", self.store.ping), ("blob store", self.blobs.check))
            if not _answers(check)
        ]
        if "ledger" not in missing and not _answers(self._check_clock):
            missing.append("right clock")
        workers = self._workers() if "ledger" not in missing else ()
        if not workers:
            missing.append("worker")
        answer = jsonify(
            {"ready": not missing, "missing": missing, "workers": [asdict(worker) for worker in workers]}
        )
        answer.status_code = 503 if missing else 200
        return answer

    def _check_clock(self) -> None:
        """Raise `ServiceUnavailable` if this machine's clock is so far off that submissions would be refused."""
        if abs(self.store.clock_offset_seconds()) > CLOCK_SECONDS:
            raise ServiceUnavailable("the clocks of this machine and of the ledger's server differ")

    def _workers(self) -> tuple[WorkerPresence, ...]:
        try:
            return self.presence.alive()
        except ServiceUnavailable:
            return ()


def _answers(check: Callable[[], None]) -> bool:
    try:
        check()
    except ServiceUnavailable:
        return False
    return True
