"""Tests of monitoring: Prometheus, alerts and dashboard use metrics that exist, and the dashboard all of them."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from cutgate.jobs.observe.metric_names import METRICS
from deploy.monitoring import dashboard
from deploy.monitoring.panel import SOURCE
from tests.deploy.compose_model import ROOT, Mapped, project, services_of
from tests.deploy.promql import SAMPLES, faults, parsed, selectors

MONITORING = ROOT / "deploy" / "monitoring"
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
BOARD: dict[str, Any] = json.loads(dashboard.PATH.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


ALERTS = {rule["alert"]: rule for group in loaded(MONITORING / "alerts.yml")["groups"] for rule in group["rules"]}


def expressions() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        yield from ((f"dashboard: {panel['title']}", target["expr"]) for target in panel["targets"])
    yield "dashboard: alerts", dashboard.ALERTS
    yield from ((name, rule["expr"]) for name, rule in ALERTS.items())
    questions = PAGE.partition("## Queries")[2].partition("\n## ")[0]
    rows = [line for line in questions.splitlines() if line.startswith("- ")]
    assert len(rows) > 5
    yield from (("docs/metrics.md", expression) for row in rows for expression in re.findall(r"`([^`]+)`", row))


def test_expressions_speak_of_metrics_labels_and_values_that_there_are() -> None:
    assert not [(place, text, fault) for place, text in expressions() for fault in faults(parsed(text))]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sum(rate(cutgate_submits_total[5m]))", "there is no series cutgate_submits_total"),
        ("cutgate_step_seconds", "there is no series cutgate_step_seconds"),
        ('rate(cutgate_items_total{lane="a"}[5m])', "cutgate_items_total has no label lane"),
        ('rate(cutgate_items_total{outcome=~"done|won"}[5m])', "outcome of cutgate_items_total is never won"),
        ("sum by (lane) (cutgate_errands_due)", "cutgate_errands_due has no label lane"),
        ("sum by (le) (cutgate_errands_due)", "cutgate_errands_due has no label le"),
        ("sum(cutgate_pixels_total) > 0", "cutgate_pixels_total is not asked for how it grows"),
        ("rate(cutgate_items_waiting[5m])", "cutgate_items_waiting is a gauge and has no rate"),
        ("histogram_quantile(0.5, rate(cutgate_item_seconds_sum[5m]))", "cutgate_item_seconds_sum has no buckets"),
    ],
)
def test_a_wrong_expression_is_found(text: str, fault: str) -> None:
    assert list(faults(parsed(text))) == [fault]


def test_the_file_is_what_the_description_makes() -> None:
    assert dashboard.PATH.read_text(encoding="utf-8") == dashboard.text(), (
        "run python -m deploy.monitoring.dashboard"
    )


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {
        SAMPLES[selector.name].name
        for panel in PANELS
        for target in panel["targets"]
        for selector in selectors(parsed(target["expr"]))
        if selector.name in SAMPLES
    }
    assert {metric.name for metric in METRICS} == asked


def test_grafana_finds_the_source_and_the_dashboard() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = loaded(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == SOURCE
    services = project()["services"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert host in services
    assert port == "9090"
    (provider,) = loaded(provisioning / "dashboards" / "cutgate.yml")["providers"]
    folder = provider["options"]["path"]
    assert f"./deploy/monitoring/grafana/dashboards:{folder}:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/{dashboard.PATH.name}"


def test_prometheus_asks_every_part_at_its_port() -> None:
    services = project("deploy/compose/two-gpus.example.yml")["services"]
    names = {name: name_in(service, "watched", name) for name, service in services.items()}
    ports = {
        names[name]: int(port)
        for name, service in services.items()
        for variable, port in service.get("environment", {}).items()
        if re.fullmatch(r"CUTGATE_(\w+_)?METRICS_PORT", variable)
    }
    jobs = loaded(MONITORING / "prometheus.yml")["scrape_configs"]
    found = list(chain.from_iterable(job.get("dns_sd_configs", []) for job in jobs))
    assert {name: place["port"] for place in found for name in place["names"]} == ports
    assert all(place["type"] == "A" for place in found)
    # A name that nobody has would be asked for in vain every few seconds: with GPUs or without, it is there.
    always = services_of(project())
    assert {names[name] for name in always if name not in {"redis", "graphs"}} == set(ports)


def name_in(service: Mapped, network: str, name: str) -> str:
    """What a service is asked for by in a network: its alias there, else its own name."""
    aliases: list[str] = (service["networks"].get(network) or {}).get("aliases", [name])
    return aliases[0]


def test_jobs_are_those_that_expressions_name() -> None:
    jobs = {job["job_name"] for job in loaded(MONITORING / "prometheus.yml")["scrape_configs"]}
    asked = chain.from_iterable(selectors(parsed(text)) for _, text in expressions())
    matchers = chain.from_iterable(selector.matchers.matchers for selector in asked)
    named = {matcher.value for matcher in matchers if matcher.name == "job"}
    assert all(any(re.fullmatch(name, job) for job in jobs) for name in named)


def test_alerts_say_what_is_wrong_and_the_page_says_what_to_do_with_them_and_no_others() -> None:
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert set(rule["annotations"]) == {"summary", "description"}, name
        assert PAGE.count(f"\n- `{name}`: ") == 1, name
    assert set(re.findall(r"`(Cutgate[A-Z]\w+)`", PAGE)) == set(ALERTS)


@pytest.mark.needs("promtool")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    config = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    placed = tmp_path / "prometheus.yml"
    placed.write_text(config.replace("/etc/prometheus", str(MONITORING)), encoding="utf-8")
    subprocess.run(["promtool", "check", "config", placed], check=True)


@pytest.mark.needs("promtool")
def test_alerts_speak_when_they_should() -> None:
    subprocess.run(["promtool", "test", "rules", "alerts.test.yml"], cwd=MONITORING, check=True)


def test_every_alert_has_been_seen_to_speak_and_to_be_silent() -> None:
    cases = [case for test in loaded(MONITORING / "alerts.test.yml")["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if "exp_alerts" in case} == set(ALERTS)
    assert {case["alertname"] for case in cases if "exp_alerts" not in case} == set(ALERTS)
