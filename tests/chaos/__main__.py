"""`python -m tests.chaos --jobs 2000`: every scenario in turn with many jobs, and a table of what came of it."""

import os
import random
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from cutgate.jobs.observe import logs
from tests.chaos.run import run_scenario
from tests.chaos.scenarios import SCENARIOS, Scenario, with_the_default_network
from tests.chaos.service import LEASE_SECONDS, WORKERS, Service
from tests.chaos.stand_ins import WORK_SECONDS_VARIABLE
from tests.chaos.verdict import HEADINGS, Verdict


@click.command()
@click.option("--jobs", default=2_000, show_default=True, help="How many, over all scenarios.")
@click.option("--only", multiple=True, help="Only scenarios whose names hold this; may be given again.")
@click.option("--network-jobs", default=0, show_default=True, help="As many more with the default network.")
@click.option("--work-seconds", default=0.1, show_default=True, help="How much longer each picture takes.")
@click.option("--at-once", default=1, show_default=True, help="Pictures that each worker works on at once.")
@click.option(
    "--seed", default=lambda: secrets.randbelow(10**9), help="Of what is chosen at random; default: a new one."
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the table as well."
)
def main(
    jobs: int,
    only: tuple[str, ...],
    network_jobs: int,
    work_seconds: float,
    at_once: int,
    seed: int,
    report: Path | None,
) -> None:
    """Go through all scenarios; exit with 1 if a promise was broken."""
    logs.configure("console", "warning")
    random.seed(seed)
    chosen = [one for one in SCENARIOS if not only or any(part in one.name for part in only)]
    plan = [(scenario, jobs // len(chosen)) for scenario in chosen]
    if network_jobs:
        plan.append((with_the_default_network(), network_jobs))
    lines = [*_heading(seed), _row(HEADINGS), _row(["---"] * len(HEADINGS))]
    click.echo("\n".join(lines))
    broken: dict[str, object] = {}
    every = {WORK_SECONDS_VARIABLE: str(work_seconds), "CUTGATE_ITEMS_AT_ONCE": str(at_once)}
    for scenario, verdict in _verdicts(plan, every):
        lines.append(_row([scenario.name, *verdict.row()]))
        click.echo(lines[-1])
        if verdict.broken:
            broken[scenario.name] = verdict.broken
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, promises in broken.items():
        click.echo(f"{name}: {promises}", err=True)
    sys.exit(1 if broken else 0)


def _verdicts(
    plan: Sequence[tuple[Scenario, int]], every: Mapping[str, str]
) -> Iterator[tuple[Scenario, Verdict]]:
    """Run the scenarios with these settings and their own; neighbours with the same ones share a service."""
    with ExitStack() as opened:
        service, needs = None, None
        for number, (scenario, job_count) in enumerate(plan):
            if service is None or (scenario.settings, scenario.with_copy) != needs:
                opened.close()
                own = {**every, **dict(scenario.settings)}
                service = opened.enter_context(Service(own, with_copy=scenario.with_copy))
                needs = (scenario.settings, scenario.with_copy)
            yield scenario, run_scenario(service, scenario, job_count, f"account-{number}")


def _heading(seed: int) -> list[str]:
    today = datetime.now(UTC).date().isoformat()
    return [f"{today}, {_machine()}; {len(WORKERS)} workers, lease {LEASE_SECONDS:g} s, seed {seed}", ""]


def _machine() -> str:
    """Processors and their name, where the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} virtual cores, {names[0] if names else 'unknown'}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
