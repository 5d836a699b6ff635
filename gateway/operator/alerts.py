"""What an operator should look at now: those of Prometheus's alerts that the ledger alone can tell, with advice.

They are of the present moment; Prometheus gives an alert when it has been so for a while. Names, thresholds and
advice are those of deploy/monitoring/alerts.yml and docs/metrics.md, to which a test holds them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

QUEUE_SLOW_SECONDS: Final = 60
QUEUE_STUCK_SECONDS: Final = 900
MEMORY_PERCENT: Final = 70
BACKLOG: Final = 2_000
ERRANDS: Final = 100
FAILED_SHARE: Final = 0.1
FEWEST_FAILED: Final = 5
"""Fewer failures say nothing."""

ADVICE: Final[Mapping[str, str]] = {
    "CutgateLedgerDown": "Check its log and disk; nothing accepted is lost.",
    "CutgateInstallationWrong": "See Disaster drills in docs/reliability.md.",
    "StorageAway": "Check the disk, mount or bucket, and the gateway's log; nothing accepted is lost.",
    "CutgateLedgerMemory": "Raise `CUTGATE_REDIS_MAXMEMORY` and `CUTGATE_REDIS_MEMORY`, or lower "
    "`CUTGATE_RETENTION_SECONDS`.",
    "CutgateNoWorkers": "Read their log.",
    "CutgateLaneWithoutWorkers": "Start one, or correct the account or `CUTGATE_RUNWARE_MODELS`.",
    "CutgateQueueSlow": "Add workers, or lower the queue cap of the account that fills the queue.",
    "CutgateQueueStuck": "Add workers at once, and check that workers finish anything.",
    "CutgateItemsFail": "See what failed below, then the workers' log.",
    "CutgateDeletionFallsBehind": "See `sources_kept` and `blobs_kept` in the log.",
    "CutgateErrandsPileUp": "Use `--scale courier=2`, unless one slow server is the cause.",
}
"""What to do, by the alert's name."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at."""

    name: str
    severity: str
    """`critical` or `warning`."""
    summary: str
    advice: str


def alerts(facts: Mapping[str, Any]) -> list[Alert]:
    """Alerts that the facts of an overview call for, the critical first."""
    found = [*_of_the_parts(facts), *_of_the_queue(facts)]
    return sorted(found, key=lambda alert: alert.severity)  # by luck in the order of the alphabet


def ledger_down() -> Alert:
    """The only alert while the ledger does not answer."""
    return _critical("CutgateLedgerDown", "Redis does not answer, and so no request is served")


def _of_the_parts(facts: Mapping[str, Any]) -> Iterator[Alert]:
    storage, percent, last_hour = facts["storage"], facts["ledger_memory_percent"] or 0, facts["last_hour"]
    if storage.startswith("not"):
        yield _critical("CutgateInstallationWrong", f"The storage is {storage}")
    if storage.startswith("away"):
        yield _critical("StorageAway", f"The storage is {storage}")
    if percent > MEMORY_PERCENT:
        yield _warning("CutgateLedgerMemory", f"Redis is {percent} % full; at 90 % new tasks are refused")
    if (overdue := facts["to_be_deleted"]) > BACKLOG:
        yield _warning("CutgateDeletionFallsBehind", f"{overdue} pictures and records are past their time")
    if (due := facts["errands_due"]) > ERRANDS:
        yield _warning("CutgateErrandsPileUp", f"{due} fetches and callbacks wait for a courier")
    if last_hour["failed"] > max(FEWEST_FAILED, FAILED_SHARE * last_hour["ended"]):
        text = "{failed} of {ended} tasks that ended within the hour have failures".format(**last_hour)
        yield _warning("CutgateItemsFail", text)


def _of_the_queue(facts: Mapping[str, Any]) -> Iterator[Alert]:
    if not facts["workers"] and not facts["scales_to_zero"]:
        yield _critical("CutgateNoWorkers", "No worker is alive; tasks wait")
    for lane in facts["lanes"]:
        name, waiting, seconds = lane["lane"], lane["waiting"], lane["oldest_seconds"]
        if waiting and not lane["workers"]:
            yield _critical(
                "CutgateLaneWithoutWorkers", f"{waiting} pictures wait in {name}, which no worker offers"
            )
        if seconds > QUEUE_STUCK_SECONDS:
            yield _critical("CutgateQueueStuck", f"Pictures in {name} wait for {seconds // 60} minutes")
        elif seconds > QUEUE_SLOW_SECONDS:
            yield _warning("CutgateQueueSlow", f"Pictures in {name} wait for {seconds} s")


def _critical(name: str, summary: str) -> Alert:
    return Alert(name, "critical", summary, ADVICE[name])


def _warning(name: str, summary: str) -> Alert:
    return Alert(name, "warning", summary, ADVICE[name])
