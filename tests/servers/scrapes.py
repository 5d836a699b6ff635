"""What Prometheus would read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import Metric
from cutgate.scratch import PREFIX

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    text: str

    def samples(self) -> Mapping[tuple[str, Labels], float]:
        """Every value by its name and labels."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
        }

    def names(self) -> set[str]:
        """Of the metrics, as `cutgate.jobs.observe.metric_names` writes them."""
        totals = {"counter": "_total"}
        return {
            family.name + totals.get(family.type, "")
            for family in text_string_to_metric_families(self.text)
            if family.samples
        }

    def value(self, metric: Metric, suffix: str = "", **labels: str) -> float | None:
        return self.samples().get((metric.name + suffix, frozenset(labels.items())))

    def total(self, metric: Metric, suffix: str = "") -> float:
        return sum(value for (name, _), value in self.samples().items() if name == metric.name + suffix)


def scrape(port: int) -> Scrape:
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    return Scrape(answer.text)


def counting_folder(pid: int) -> Path:
    """The one folder in whose files a process counts together with others."""
    maps = Path(f"/proc/{pid}/maps").read_text("utf-8")
    (folder,) = set(re.findall(rf"(\S*/{re.escape(PREFIX)}[^/\s]+)/", maps))
    return Path(folder)


def here(*further: Collector) -> Scrape:
    """What this very process counts."""
    return Scrape(generate_latest(metrics.registry(further)).decode())
