"""Liveness of this process, and readiness of the service."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response

from cutgate.gateway.tasks.parts import Parts
from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.errors import BlobMissing, BlobStoreFull, ServiceUnavailable
from cutgate.jobs.ids import BlobKey, TaskUid
from cutgate.jobs.ports import BlobStore

CLOCK_SECONDS: Final = 300.0
"""How much the clocks of gateway and ledger may differ; from half the orphans' grace on nothing is accepted."""
KEEP_SECONDS: Final = 1.0
"""How long what was found counts: probes of many balancers cost the ledger and the storage one look a second."""
_NOTHING: Final = BlobKey(task=TaskUid("0" * 20), index=0, role="probe", token="0" * 22)
"""What no storage holds: a store that is asked for it says that it is missing, or that it cannot say."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found of the parts that work needs."""

    missing: tuple[str, ...]
    workers: tuple[WorkerPresence, ...]
    installation: str | None
    """What is wrong with it, and what to do."""

    @property
    def status(self) -> int:
        """For supervisors and load balancers."""
        return HTTPStatus.SERVICE_UNAVAILABLE if self.missing else HTTPStatus.OK


class Readiness:
    """Looks whether ledger, blob store and a worker are there: once in a while, however many ask."""

    def __init__(self, parts: Parts, check_blobs: Callable[[], None]) -> None:
        """Take the parts; `check_blobs` raises `ServiceUnavailable` where the blob store is not there."""
        self._parts, self._check_blobs = parts, check_blobs
        self._lock = threading.Lock()
        self._found: Findings | None = None
        self._found_at_seconds = 0.0

    def findings(self) -> Findings:
        """What is missing, as it was found a moment ago."""
        with self._lock:
            now_seconds = time.monotonic()
            if self._found is None or now_seconds - self._found_at_seconds >= KEEP_SECONDS:
                self._found, self._found_at_seconds = self._look(), now_seconds
            return self._found

    def _look(self) -> Findings:
        checks = (("ledger", self._parts.store.server.ping), ("blob store", self._check_blobs))
        missing = [part for part, check in checks if not _answers(check)]
        if "blob store" not in missing and not _answers(self._check_room):
            missing.append("room for pictures")
        if "ledger" not in missing and not _answers(self._check_clock):
            missing.append("right clock")
        if (wrong := self._parts.store.server.wrong) is not None:
            missing.append("installation")
        workers = self._workers() if "ledger" not in missing else ()
        if all(worker.away for worker in workers) and (workers or not self._parts.settings.scale_to_zero):
            missing.append("worker")
        return Findings(tuple(missing), workers, wrong)

    def _check_room(self) -> None:
        """Raise `BlobStoreFull` where the blob store says that it has little room. Nothing is written."""
        least_bytes, free_bytes = self._parts.settings.least_free_bytes, self._parts.blobs.free_bytes()
        if free_bytes is not None and free_bytes < least_bytes:
            raise BlobStoreFull("the disk of the pictures is full")

    def _check_clock(self) -> None:
        """Raise `ServiceUnavailable` if this machine's clock is so far off that submissions would be refused."""
        if abs(self._parts.store.server.clock_offset_seconds()) > CLOCK_SECONDS:
            raise ServiceUnavailable("the clocks of this machine and of the ledger's server differ")

    def _workers(self) -> tuple[WorkerPresence, ...]:
        try:
            return self._parts.presence.alive()
        except ServiceUnavailable:
            return ()


@dataclass(frozen=True, slots=True)
class HealthPages:
    """What supervisors and load balancers ask, and with them anybody: nothing is named or written for them."""

    readiness: Readiness

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("health", __name__)
        routes.add_url_rule("/healthz", view_func=self.alive, provide_automatic_options=False)
        routes.add_url_rule("/readyz", view_func=self.ready, provide_automatic_options=False)
        return routes

    def alive(self) -> Response:
        """Answer: the process is able to."""
        return _json({"alive": True})

    def ready(self) -> Response:
        """Say whether work could be done now; 503 where not. What is missing is told at the port of metrics."""
        findings = self.readiness.findings()
        return _json(_ready(findings), findings.status)


def operators_page(readiness: Readiness) -> Response:
    """What is missing, and which workers are there; 503 where something is missing."""
    findings = readiness.findings()
    workers = [asdict(worker) for worker in findings.workers]
    said = {**_ready(findings), "missing": findings.missing, "workers": workers}
    if findings.installation is not None:
        said["installation"] = findings.installation
    return _json(said, findings.status)


def check_reading(blobs: BlobStore) -> None:
    """Raise `BlobStoreUnavailable` unless a blob could be read now. Unlike `BlobStore.check` it writes nothing."""
    try:
        blobs.get(_NOTHING)
    except BlobMissing:
        return


def _ready(findings: Findings) -> dict[str, object]:
    if findings.missing:
        return {"ready": False}
    # Without a worker: one is started for the first picture.
    return {"ready": True} if findings.workers else {"ready": True, "cold": True}


def _json(members: dict[str, object], status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(members) + "\n", status, mimetype="application/json")


def _answers(check: Callable[[], None]) -> bool:
    try:
        check()
    except ServiceUnavailable:
        return False
    return True
