"""Names as data, and counting by them: alone, and together with processes that are forked."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import (
    ERRANDS,
    HINTS_RESENT,
    ITEM_ERRORS,
    METRICS,
    OPEN,
    REQUESTS,
    SUBMIT_SECONDS,
    Kind,
    Part,
)
from tests.servers.ports import free_port
from tests.servers.scrapes import here, scrape

TOO_MANY_VALUES = {"account", "task", "item", "uid", "url", "host", "owner", "pid", "key", "worker"}


def test_names_labels_and_buckets() -> None:
    for metric in METRICS:
        assert re.fullmatch("cutgate(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith("_seconds") == (metric.unit == "seconds"), metric.name
        assert metric.help.endswith("."), metric.name
        assert metric.parts, metric.name
        assert TOO_MANY_VALUES.isdisjoint(metric.labels), metric.name
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name
    assert len({metric.name for metric in METRICS}) == len(METRICS) > 20


class TestCounting:
    def test_time_is_taken_of_what_succeeds(self) -> None:
        def counted() -> float:
            return here().value(SUBMIT_SECONDS, "_count") or 0

        @metrics.timed(SUBMIT_SECONDS)
        def work(*, fails: bool) -> int:
            if fails:
                raise ValueError
            return 7

        before = counted()
        assert work(fails=False) == work(fails=False) == 7
        with pytest.raises(ValueError, match=r"^$"):
            work(fails=True)
        assert counted() == before + 2

    def test_only_with_the_rows_labels(self) -> None:
        with pytest.raises(ValueError, match="label"):
            metrics.count(REQUESTS, account="ada")

    def test_only_as_the_row_says(self) -> None:
        with pytest.raises(TypeError, match="cutgate_hints_resent_total is a counter"):
            metrics.observe(HINTS_RESENT, 1)

    def test_a_part_shows_its_zeros_from_the_start(self) -> None:
        metrics.begin(Part.COURIER)
        for kind in ERRANDS.labels["kind"]:
            for outcome in ERRANDS.labels["outcome"]:
                assert here().value(ERRANDS, kind=kind, outcome=outcome) is not None
        assert here().value(ITEM_ERRORS, kind="") is None
        assert OPEN in ITEM_ERRORS.labels.values()


class TestServing:
    def test_without_a_port_nothing_listens(self) -> None:
        before = threading.enumerate()
        with metrics.served("127.0.0.1", None):
            assert threading.enumerate() == before

    def test_as_long_as_the_block_lasts(self) -> None:
        port = free_port()
        metrics.count(HINTS_RESENT)
        with metrics.served("127.0.0.1", port):
            assert scrape(port).value(HINTS_RESENT) == here().value(HINTS_RESENT)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    def test_a_port_that_is_taken(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(metrics.PortUnavailable, match=r"127\.0\.0\.1, port \d+: Address already in use"),
            metrics.served("127.0.0.1", taken.getsockname()[1]),
        ):
            pass


GENERATIONS = """
import os, sys
from pathlib import Path
from prometheus_client import generate_latest
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import CLAIMS, ITEM_SECONDS, WORKER_INFO, Part

parent = os.getpid()
metrics.share_between_processes(Path(sys.argv[1]), lambda: "parent" if os.getpid() == parent else "child")
metrics.begin(Part.WORKER)
metrics.count(CLAIMS, attempt="first")
engines = ["one", "two"]
for engine in engines:
    metrics.process_gone("child")
    if (pid := os.fork()) == 0:
        labels = dict.fromkeys(WORKER_INFO.labels, engine)
        metrics.change(WORKER_INFO, 1, **labels)
        for _ in range(10):
            metrics.count(CLAIMS, attempt="again")
            metrics.observe(ITEM_SECONDS, 0.2)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
print(generate_latest(metrics.registry()).decode())
metrics.process_gone("child")
assert "engine" not in generate_latest(metrics.registry()).decode()
"""


def run(code: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestSharing:
    def test_children_that_are_killed_leave_their_counts_and_not_their_gauges(self, tmp_path: Path) -> None:
        printed = run(GENERATIONS, str(tmp_path))
        assert 'cutgate_claims_total{attempt="first"} 1.0' in printed
        assert 'cutgate_claims_total{attempt="again"} 20.0' in printed
        assert "cutgate_item_seconds_count 20.0" in printed
        assert 'engine="two"' in printed
        assert 'engine="one"' not in printed
        assert {file.stem.rpartition("_")[2] for file in tmp_path.iterdir()} == {"parent", "child"}

    def test_a_process_that_is_killed_before_it_has_sized_its_file_leaves_the_others_counts(
        self, tmp_path: Path
    ) -> None:
        code = """
import sys
from pathlib import Path
from prometheus_client import generate_latest
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import HINTS_RESENT
folder = Path(sys.argv[1])
metrics.share_between_processes(folder)
metrics.count(HINTS_RESENT, 3)
for kind in ("counter", "histogram", "gauge_livesum"):
    (folder / f"{kind}_1.db").touch()
print(generate_latest(metrics.registry()).decode())
"""
        assert "cutgate_hints_resent_total 3.0" in run(code, str(tmp_path))

    def test_it_must_come_first(self, tmp_path: Path) -> None:
        metrics.count(HINTS_RESENT)
        with pytest.raises(RuntimeError, match="before anything is counted"):
            metrics.share_between_processes(tmp_path)

    def test_a_folder_that_the_environment_names_is_not_ours(self, tmp_path: Path) -> None:
        code = """
from prometheus_client import generate_latest
from cutgate.jobs.observe import metrics
from cutgate.jobs.observe.metric_names import HINTS_RESENT
metrics.count(HINTS_RESENT, 3)
print(generate_latest(metrics.registry()).decode())
"""
        printed = run(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert "cutgate_hints_resent_total 3.0" in printed
        assert list(tmp_path.iterdir()) == []

    def test_what_a_process_shows_is_ours_alone(self) -> None:
        code = "from prometheus_client import generate_latest; from cutgate.jobs.observe import metrics; "
        assert run(f"{code} print(generate_latest(metrics.registry()).decode())") == "\n"
