"""Alerts of the operator's page: when they are given, and that name, limit and advice are Prometheus's."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cutgate.gateway.operator import alerts as rules
from cutgate.gateway.operator.alerts import ADVICE, alerts

ROOT = Path(__file__).parents[3]
LANE = {"lane": "best:exact", "waiting": 0, "oldest_seconds": 0, "workers": 1}
FINE: dict[str, Any] = {
    "lanes": [LANE],
    "workers": 1,
    "scales_to_zero": False,
    "storage": "works",
    "ledger_memory_percent": 70,
    "to_be_deleted": 2_000,
    "errands_due": 100,
    "last_hour": {"ended": 100, "failed": 10},
}


def prometheus() -> dict[str, dict[str, Any]]:
    text = (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    [group] = yaml.safe_load(text)["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_nothing_is_said_while_all_is_well() -> None:
    assert alerts(FINE) == []
    assert alerts(FINE | {"ledger_memory_percent": None, "last_hour": {"ended": 0, "failed": 5}}) == []
    assert alerts(FINE | {"workers": 0, "scales_to_zero": True}) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"storage": "not the ledger's: do this"}, "CutgateInstallationWrong"),
        ({"storage": "away: no such folder"}, "StorageAway"),
        ({"ledger_memory_percent": 71}, "CutgateLedgerMemory"),
        ({"to_be_deleted": 2_001}, "CutgateDeletionFallsBehind"),
        ({"errands_due": 101}, "CutgateErrandsPileUp"),
        ({"last_hour": {"ended": 100, "failed": 11}}, "CutgateItemsFail"),
        ({"last_hour": {"ended": 6, "failed": 6}}, "CutgateItemsFail"),
        ({"workers": 0}, "CutgateNoWorkers"),
        ({"lanes": [LANE | {"waiting": 1, "workers": 0}]}, "CutgateLaneWithoutWorkers"),
        ({"lanes": [LANE | {"waiting": 1, "oldest_seconds": 61}]}, "CutgateQueueSlow"),
        ({"lanes": [LANE | {"waiting": 1, "oldest_seconds": 901}]}, "CutgateQueueStuck"),
    ],
)
def test_each(change: dict[str, Any], name: str) -> None:
    [alert] = alerts(FINE | change)
    known = prometheus().get(name, {"labels": {"severity": "critical"}})
    assert (alert.name, alert.severity, alert.advice) == (name, known["labels"]["severity"], ADVICE[name])
    assert "None" not in alert.summary


def test_the_critical_come_first() -> None:
    found = alerts(FINE | {"errands_due": 101, "workers": 0, "storage": "away: gone"})
    assert [alert.severity for alert in found] == ["critical", "critical", "warning"]


def test_limits_are_prometheus_own() -> None:
    expected = {
        "CutgateLedgerMemory": rules.MEMORY_PERCENT / 100,
        "CutgateDeletionFallsBehind": rules.BACKLOG,
        "CutgateErrandsPileUp": rules.ERRANDS,
        "CutgateItemsFail": rules.FAILED_SHARE,
        "CutgateQueueSlow": rules.QUEUE_SLOW_SECONDS,
        "CutgateQueueStuck": rules.QUEUE_STUCK_SECONDS,
    }
    told = prometheus()
    for name, limit in expected.items():
        assert limit in [float(text) for text in re.findall(r"> ([\d.]+)", told[name]["expr"])]


def test_advice_is_that_of_the_page() -> None:
    page = " ".join((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split())
    assert set(ADVICE) - set(prometheus()) == {"StorageAway"}
    differ = {"StorageAway", "CutgateInstallationWrong", "CutgateItemsFail"}  # they name what lies beside them
    for name in set(ADVICE) - differ:
        [entry] = re.findall(rf"- `{name}`: (.*?)(?= - `|\Z)", page)
        assert ADVICE[name] in entry
