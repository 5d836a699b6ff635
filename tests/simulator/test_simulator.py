"""Tests of the service under schedules from seeds, and of the simulator: it repeats, it finds, it makes short."""

from pathlib import Path

import pytest

from cutgate.jobs.redis_client import connect
from tests.hostile.planted import ROOT
from tests.servers.redis_server import redis_server, server_binaries
from tests.simulator import parts
from tests.simulator.clock import timed_scripts
from tests.simulator.planted import FAULTS
from tests.simulator.play import play
from tests.simulator.schedule import drawn, run_seeds

SEEDS = 30


@pytest.mark.parametrize("binary", server_binaries().values(), ids=server_binaries())
def test_no_schedule_violates_a_rule(binary: Path) -> None:
    ended = run_seeds(1, lambda count: count < SEEDS, binary)
    assert not ended.found, ended.told


@pytest.mark.long
@pytest.mark.timeout(600)
def test_nor_do_ten_times_as_many() -> None:
    ended = run_seeds(1_000, lambda count: count < 10 * SEEDS)
    assert not ended.found, ended.told


def test_a_schedule_happens_again_as_it_did() -> None:
    with redis_server() as url, connect(url) as client, connect(f"{url}?db=1") as other:
        first, second = (play(client, other, 5, drawn(5)) for _ in range(2))
    assert first == second


def test_what_violates_a_rule_is_found_and_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = timed_scripts()
    again = "if fields[1] ~= 'running' then return fields[1] == args.state and 1 or 0 end"
    assert again in texts["end"]
    monkeypatch.setattr(parts, "timed_scripts", lambda: texts | {"end": texts["end"].replace(again, "")})
    ended = run_seeds(1, lambda count: count < SEEDS)
    assert ended.found
    assert ended.length < len(drawn(1)) / 2


def test_each_fault_can_be_planted() -> None:
    places = [change for fault in FAULTS for change in fault.changes]
    assert [path for path, before, _ in places if (ROOT / path).read_text("utf-8").count(before) != 1] == []
