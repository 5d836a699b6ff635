"""The command `python -m cutgate.gateway keys usage`: who used how much, by account and day."""

import calendar
import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any, Final, NamedTuple

import click

from cutgate.gateway.commands.console import opened, show_table
from cutgate.gateway.operator.overview import usage_document

_COUNTS: Final = ("done", "failed", "credits")
_counts: Final = itemgetter(*_COUNTS)


class Period(NamedTuple):
    """Days, the last one included."""

    first: date
    last: date


class PeriodType(click.ParamType[Period]):
    """A day, or a month, as its days."""

    def __init__(self, *, months_only: bool = False) -> None:
        self._months_only = months_only
        self.name = "yyyy-mm" if months_only else "yyyy-mm[-dd]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Period:
        """Read the text of the option."""
        with suppress(ValueError):
            first = datetime.strptime(value, "%Y-%m").date()  # noqa: DTZ007 — a day has no zone
            return Period(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))
        if not self._months_only:
            with suppress(ValueError):
                return Period(date.fromisoformat(value), date.fromisoformat(value))
        known = "a month such as 2026-10" if self._months_only else "a day such as 2026-10-31, or a month"
        raise click.BadParameter(f"{value!r} is not {known}", ctx, param)


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
    document = usage_document(period.first, period.last, found)
    title, total = f"Usage from {period.first} to {period.last} (UTC)", _counts(document)
    if as_json:
        click.echo(json.dumps(document))
    elif as_csv:
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(("account", "day", *_COUNTS))
        lines.writerows(_days(document))
    elif account is not None:
        show_table(title, ("account", "day", *_COUNTS), _days(document), ("all", None, *total))
    else:
        sums = [(row["account"], *_counts(row)) for row in document["accounts"]]
        show_table(title, ("account", *_COUNTS), sums, ("all", *total))


def _period(first: Period | None, last: Period | None) -> Period:
    end = datetime.now(UTC).date() if last is None else last.last
    begin = end.replace(day=1) if first is None else first.first
    if begin > end:
        raise click.UsageError("--from is later than --to")
    return Period(begin, end)


def _days(document: Mapping[str, Any]) -> Iterator[tuple[str | int, ...]]:
    for row in document["accounts"]:
        for day in row["days"]:
            yield (row["account"], day["day"], *_counts(day))
