"""What the gateway's benchmark sends and counts, on few requests; how quick they are is not looked at."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks import Absent
from benchmarks.gateway.__main__ import cells, heads
from benchmarks.gateway.clients import Sent, Unexpected
from benchmarks.gateway.live import HERE, Checkout, installed, live_gateway
from benchmarks.gateway.measure import Figures, Run, Side, in_turn
from benchmarks.gateway.requests import Picture
from benchmarks.gateway.rows import (
    ACCEPTED,
    MEGABYTE,
    ROWS,
    SMALL,
    TEN_MEGABYTES,
    THROTTLED,
    Cast,
    Row,
    account_count,
)

REQUESTS = 4
BY_NAME = {row.name: row for row in ROWS}
FIGURES = Figures(gateway_us=3_000, server_us=300, clients_us=60, a_second=250, p50_ms=30, p99_ms=90)


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    with (
        live_gateway(Checkout.at(HERE), processes=1) as gateway,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as clients,
    ):
        yield Side(gateway, Cast.on(gateway, requests=REQUESTS, rate=20), clients)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_kind_of_request_is_answered_as_it_says_and_counted_on_each_side(row: Row, side: Side) -> None:
    run = side.run(row, REQUESTS, connections=2)
    assert len(run.sent.took_seconds) == row.count(REQUESTS) == 4
    assert min(run.gateway_us, run.server_us, run.clients_us) > 0
    assert run.sent.others == 0 or row.or_else


def test_an_answer_that_the_row_is_not_about_ends_the_run(side: Side) -> None:
    with pytest.raises(Unexpected, match="153"):
        side.run(replace(BY_NAME["queue full"], expected=ACCEPTED), REQUESTS, connections=2)
    with pytest.raises(Unexpected, match="4 of 4 requests of `8 KB` were accepted"):
        side.run(replace(BY_NAME["8 KB"], expected=THROTTLED, or_else=ACCEPTED), REQUESTS, connections=2)


def test_no_account_sends_more_in_a_run_than_its_rate_allows_at_once() -> None:
    assert account_count(600, rate=20) == 30
    assert account_count(REQUESTS, rate=20) == 2
    assert account_count(601, rate=20) == 31


def test_pictures_are_of_the_size_that_their_rows_name_and_held_once() -> None:
    assert 8_000 < len(SMALL.data()) < 8_500
    assert 1_000_000 < len(MEGABYTE.data()) < 1_100_000
    assert 10_000_000 < len(TEN_MEGABYTES.data()) < 10_100_000
    assert Picture(52).text() is SMALL.text()


def test_two_checkouts_take_turns_and_each_is_first_in_every_other_round(side: Side) -> None:
    order: list[str] = []

    class Noted(Side):
        def run(self, row: Row, requests: int, connections: int) -> Run:
            order.append(self.name)
            sent = Sent(seconds=2, took_seconds=[0.5] * requests)
            return Run(sent, gateway_us=next(self.costs), server_us=1, clients_us=1)

        def __init__(self, name: str, costs: list[float]) -> None:
            super().__init__(side.gateway, side.cast, side.clients)
            self.name, self.costs = name, iter(costs)

    before, now = in_turn([Noted("before", [3, 900, 5]), Noted("now", [1, 2, 800])], BY_NAME["8 KB"], 4, 1, 3)
    assert order == ["before", "now", "now", "before", "before", "now"]
    assert (before.gateway_us, now.gateway_us) == (5, 2), "one busy moment does not count"
    assert now.a_second == 2
    assert now.p99_ms == 500


def test_a_line_shows_before_and_now_with_ratios_of_what_each_side_used() -> None:
    now = replace(FIGURES, gateway_us=900, server_us=150, a_second=1_000, p99_ms=40)
    line = dict(zip(heads(2), cells(BY_NAME["8 KB"], [FIGURES, now]), strict=True))
    assert line["gateway µs"] == "3000 / 900"
    assert line["a second"] == "250 / 1000"
    assert line["p99 ms"] == "90.0 / 40.0"
    assert cells(BY_NAME["8 KB"], [FIGURES, now])[3] == "0.30"
    assert len(heads(1)) == len(cells(BY_NAME["8 KB"], [FIGURES]))


def test_what_is_no_checkout_says_so(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="is no checkout"):
        Checkout.at(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "earlier"\n')
    with pytest.raises(Absent, match=r"has no \.venv/bin/python"):
        Checkout.at(tmp_path)


def test_a_gateway_gets_none_of_the_callers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    assert not {"CUTGATE_REDIS_URL", "REDIS_URL"} & Checkout.at(HERE).environment().keys()


def test_nothing_is_left_of_an_installation_whose_command_failed() -> None:
    with installed(Checkout.at(HERE)) as installation:
        keeper, folder = (
            Path(f"/proc/{installation.pid}"),
            Path(installation.environment["CUTGATE_BLOB_DIR"]).parent,
        )
        assert keeper.exists()
        assert folder.is_dir()
        with pytest.raises(RuntimeError, match="no answer to: keys add --credits 0"):
            installation.run("keys", "add", "--credits", "0")
    assert not keeper.exists()
    assert not folder.exists()
