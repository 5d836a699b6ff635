"""`python -m cutgate.gateway keys usage`, as an operator types it, over a ledger with a few days."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.redis_client import connect
from tests.gateway.commands.terminal import shown_on_a_terminal
from tests.gateway.installation import Installation
from tests.jobs.build import Ledger


@dataclass(frozen=True)
class Used:
    """A ledger in which two shops used something within three days, and one nothing."""

    installation: Installation
    today: date
    """The first of the days; perhaps tomorrow, for at midnight it does not turn."""

    def day(self, distance: int) -> str:
        return (self.today + timedelta(days=distance)).isoformat()

    def call(self, first: int, last: int, *options: str) -> str:
        """What is said of days by their distance from the first."""
        period = ("--from", self.day(first), "--to", self.day(last))
        done = self.installation.call("keys", "usage", *period, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def used(installation: Installation) -> Used:
    for name in ("ulla", "udo", "idle"):
        installation.keys("add", "--name", name)
    with connect(installation.redis_url) as client:
        ledger = Ledger(client, LedgerLimits(source_max_age_seconds=1e9))
        today = ledger.wait_for_noon()
        assert ledger.done(ledger.claimed(account="ulla", price=3))
        assert ledger.done(ledger.claimed(account="udo", price=2))
        ledger.ended_task(account="ulla", item_count=2)
        ledger.clock.advance(2 * 86_400)
        assert ledger.done(ledger.claimed(account="ulla", price=5))
    return Used(installation, today)


def test_json_has_sums_and_days(used: Used) -> None:
    ulla = {
        "account": "ulla",
        "done": 2,
        "failed": 2,
        "credits": 8,
        "days": [
            {"day": used.day(0), "done": 1, "failed": 2, "credits": 3},
            {"day": used.day(2), "done": 1, "failed": 0, "credits": 5},
        ],
    }
    udo = {"done": 1, "failed": 0, "credits": 2}
    assert json.loads(used.call(-1, 3, "--json")) == {
        "from": used.day(-1),
        "to": used.day(3),
        "done": 3,
        "failed": 2,
        "credits": 10,
        "accounts": [{"account": "udo", **udo, "days": [{"day": used.day(0), **udo}]}, ulla],
    }


def test_csv_has_a_line_for_each_account_and_day(used: Used) -> None:
    rows = list(csv.DictReader(io.StringIO(used.call(0, 2, "--csv"))))
    assert [(row["account"], row["credits"]) for row in rows] == [("udo", "2"), ("ulla", "3"), ("ulla", "5")]
    assert rows[1] == {"account": "ulla", "day": used.day(0), "done": "1", "failed": "2", "credits": "3"}


def test_people_see_a_table_with_its_sum(used: Used) -> None:
    asked = ("keys", "usage", "--from", used.day(0), "--to", used.day(2))
    title, heads, *lines = shown_on_a_terminal(used.installation, *asked)
    assert title == f"Usage from {used.day(0)} to {used.day(2)} (UTC)"
    assert heads.split() == ["account", "done", "failed", "credits"]
    udo, ulla, total = (line.split() for line in lines if "─" not in line)
    assert (udo, ulla) == (["udo", "1", "0", "2"], ["ulla", "2", "2", "8"])
    assert total == ["all", "3", "2", "10"]


def test_days_months_and_their_defaults(installation: Installation) -> None:
    def asked(*options: str) -> tuple[str, str]:
        found = installation.keys("usage", *options)
        return found["from"], found["to"]

    assert asked("--month", "2024-02") == ("2024-02-01", "2024-02-29")
    assert asked("--from", "2024-02", "--to", "2024-03") == ("2024-02-01", "2024-03-31")
    assert asked("--from", "2024-02-03", "--to", "2024-02-03") == ("2024-02-03", "2024-02-03")
    assert asked("--to", "2024-02-20") == ("2024-02-01", "2024-02-20")
    before = datetime.now(UTC).date()
    first, last = asked()
    assert first == f"{last[:8]}01"
    assert last in {before.isoformat(), datetime.now(UTC).date().isoformat()}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--month", "2024-13"), 2, "'2024-13' is not a month such as 2026-10"),
        (("--month", "2024-02-03"), 2, "is not a month"),
        (("--from", "yesterday"), 2, "'yesterday' is not a day such as 2026-10-31, or a month"),
        (("--month", "2024-02", "--to", "2024-02"), 2, "--month takes neither --from nor --to"),
        (("--from", "2024-03", "--to", "2024-02"), 2, "--from is later than --to"),
        (("--csv", "--json"), 2, "exclude each other"),
        (("--account", "nobody"), 1, "there is no account 'nobody'"),
    ],
)
def test_what_is_refused(installation: Installation, options: tuple[str, ...], code: int, message: str) -> None:
    done = installation.call("keys", "usage", *options)
    assert (done.returncode, message in done.stderr, done.stdout) == (code, True, ""), done.stderr
