"""The command `python -m cutgate.gateway keys usage`: who used how much, by account and day."""

import calendar
import csv
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import click

from cutgate.gateway.commands.console import opened
from cutgate.gateway.commands.tables import show_table
from cutgate.gateway.operator.overview import usage_document, usage_sum
from cutgate.jobs.answers import Usage

_COUNTS: Final = ("done", "failed", "credits")


@dataclass(frozen=True, slots=True)
class Period:
    """Days, the last one included."""

    first: date
    last: date


class PeriodType(click.ParamType[Period]):
    """A day, or a month, as its days."""

    name = "yyyy-mm[-dd]"

    def __init__(self, *, months_only: bool = False) -> None:
        self._months_only = months_only
        if months_only:
            self.name = "yyyy-mm"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Period:
        """Read the text of the option."""
        found = _read_month(str(value)) or (None if self._months_only else _read_day(str(value)))
        if found is None:
            known = "a month such as 2026-10" if self._months_only else "a day such as 2026-10-31, or a month"
            self.fail(f"{value!r} is not {known}", param, ctx)
        return found


def _read_month(text: str) -> Period | None:
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 — a day has no zone
    except ValueError:
        return None
    return Period(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))


def _read_day(text: str) -> Period | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return Period(day, day)


@click.command()
@click.option("--from", "first", type=PeriodType(), help="First day, or month.  [default: this month]")
@click.option("--to", "last", type=PeriodType(), help="Last day, or month.  [default: today]")
@click.option("--month", type=PeriodType(months_only=True), help="A month, in place of --from and --to.")
@click.option("--account", help="This account alone, day by day.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line for each account and day.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: sums and days of each account.")
def usage(
    first: Period | None,
    last: Period | None,
    month: Period | None,
    account: str | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show who used how much.

    Pictures done and failed, and credits, by account and day in UTC. Credits are the price of what was done, of
    accounts that are not metered too. What failed costs nothing, unless CUTGATE_CHARGE_STRIKES says otherwise;
    terminated pictures count as failed.
    """
    if month and (first or last):
        raise click.UsageError("--month takes neither --from nor --to")
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    period = month or _period(first, last)
    with opened() as parts:
        found = parts.ledger.accounts.usage(period.first, period.last, account)
        if account is not None and not found:
            parts.accounts.record(account)  # a misspelt name is told
    if as_json:
        click.echo(json.dumps(usage_document(period.first, period.last, found)))
    elif as_csv:
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(("account", "day", *_COUNTS))
        lines.writerows(_days(found))
    else:
        _show(period, found, by_day=account is not None)


def _period(first: Period | None, last: Period | None) -> Period:
    end = datetime.now(UTC).date() if last is None else last.last
    begin = end.replace(day=1) if first is None else first.first
    if begin > end:
        raise click.UsageError("--from is later than --to")
    return Period(begin, end)


def _show(period: Period, found: Mapping[str, Mapping[date, Usage]], *, by_day: bool) -> None:
    """A line for each account, or for each account and day, and below them the sum of all."""
    title, total = f"Usage from {period.first} to {period.last} (UTC)", _counts(_sum_of_all(found))
    if by_day:
        show_table(title, ("account", "day", *_COUNTS), _days(found), ("all", None, *total))
    else:
        sums = ((name, *_counts(usage_sum(days.values()))) for name, days in found.items())
        show_table(title, ("account", *_COUNTS), sums, ("all", *total))


def _days(found: Mapping[str, Mapping[date, Usage]]) -> Iterator[tuple[str | int, ...]]:
    for name, days in found.items():
        for day, used in days.items():
            yield (name, day.isoformat(), *_counts(used))


def _sum_of_all(found: Mapping[str, Mapping[date, Usage]]) -> Usage:
    return usage_sum(usage_sum(days.values()) for days in found.values())


def _counts(used: Usage) -> tuple[int, int, int]:
    return (used.done, used.failed, used.credits)
