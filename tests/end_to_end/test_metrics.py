"""`docs/metrics.md`, the names in the code, and what a running stack shows are the same."""

import re

import pytest

from cutgate import JobFailed
from cutgate.jobs.observe.metric_names import METRICS, OPEN, Kind, Metric, Part
from tests.servers.scrapes import Scrape, scrape
from tests.servers.stack import ROOT, LiveStack

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
SUFFIXES = ("_bucket", "_sum", "_count")
PORTS = {
    Part.GATEWAY: "CUTGATE_METRICS_PORT",
    Part.WORKER: "CUTGATE_WORKER_METRICS_PORT",
    Part.COURIER: "CUTGATE_COURIER_METRICS_PORT",
}


def shown() -> str:
    return "\n".join(map(line, METRICS))


def line(metric: Metric) -> str:
    labels = ", ".join(shown_label(name, values) for name, values in metric.labels.items())
    kind = metric.kind if metric.kind is Kind.HISTOGRAM else ""
    told = "; ".join(filter(None, [", ".join(metric.parts), kind, labels]))
    return f"- `{metric.name}` ({told}): {metric.help}"


def shown_label(name: str, values: tuple[str, ...]) -> str:
    return f"`{name}`" if values is OPEN else f"`{name}` {'/'.join(values)}"


def scraped_names(metric: Metric) -> set[str]:
    if metric.kind is Kind.HISTOGRAM:
        return {metric.name + suffix for suffix in SUFFIXES}
    return {metric.name}


def test_the_list_is_the_rows() -> None:
    assert shown() in PAGE, f"docs/metrics.md should say\n\n{shown()}"


def test_a_name_says_whether_it_counts() -> None:
    named = {metric.name: metric.name.endswith("_total") for metric in METRICS}
    assert named == {metric.name: metric.kind is Kind.COUNTER for metric in METRICS}


def test_the_page_names_nothing_else() -> None:
    known = {name for metric in METRICS for name in scraped_names(metric) | {metric.name}}
    assert set(re.findall(r"cutgate_[a-z_]+", PAGE)) <= known


@pytest.fixture(scope="module")
def worked(stack: LiveStack) -> LiveStack:
    """A stack that has done an item, and failed one."""
    whole = (ROOT / "examples" / "coffee.jpg").read_bytes()
    with stack.client() as client:
        client.remove_background(whole).wait(timeout_seconds=60)
        broken = client.remove_background(whole[: len(whole) // 2])
        with pytest.raises(JobFailed):
            broken.wait(timeout_seconds=60)
    return stack


def shown_by(stack: LiveStack, part: Part) -> Scrape:
    return scrape(int(stack.settings[PORTS[part]]))


@pytest.mark.parametrize("part", PORTS)
def test_a_running_part_shows_its_rows_and_nothing_else(worked: LiveStack, part: Part) -> None:
    shown = shown_by(worked, part)
    parts = {part, Part.LEDGER} if part is Part.GATEWAY else {part}
    rows = [metric for metric in METRICS if parts & set(metric.parts)]
    assert shown.names() == {metric.name for metric in rows}
    for metric in rows:
        found = {name: labels for name, labels in shown.samples() if name in scraped_names(metric)}
        assert found.keys() == scraped_names(metric)
        for labels in found.values():
            assert {name for name, _ in labels} - {"le"} == set(metric.labels)
