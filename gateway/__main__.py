"""Operators' commands: `python -m cutgate.gateway serve`, `status`, `backup`, `restore`, and groups of others."""

from contextlib import ExitStack

import click

from cutgate.gateway import alive
from cutgate.gateway.commands.keys import keys
from cutgate.gateway.commands.status import status
from cutgate.gateway.commands.storage import backup, restore, storage
from cutgate.gateway.commands.tasks import tasks
from cutgate.gateway.observe import metrics
from cutgate.gateway.serving.malloc import give_back_large_blocks
from cutgate.gateway.serving.server import serve_all
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import logs
from cutgate.jobs.redis_client import connect_ledger
from cutgate.jobs.settings import load_settings
from cutgate.jobs.upkeep.installation import require_whole


@click.group()
def main() -> None:
    """Run and operate Cutgate's gateway."""


@main.command()
@click.option("--host", help="Address to listen on; default: CUTGATE_HOST.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="N", help="Port to listen on; default: CUTGATE_PORT."
)
def serve(host: str | None, port: int | None) -> None:
    """Serve requests until a signal says to stop."""
    settings = load_settings(GatewaySettings)
    with connect_ledger(settings) as client:
        logs.configure(settings.log_format, settings.log_level)
        require_whole(settings, Ledger(client, settings.ledger_limits()))
    addresses = [(settings.host if host is None else host, settings.port if port is None else port)]
    give_back_large_blocks()
    with ExitStack() as until_the_end:
        if settings.metrics_port is not None:
            addresses.append((settings.metrics_host, settings.metrics_port))
            until_the_end.enter_context(metrics.shown(settings.processes))
        serve_all(settings, addresses)


@main.command()
def check() -> None:
    """Ask the gateway of this machine whether it is alive; exit with 1 if not."""
    settings = load_settings(GatewaySettings)
    if (fault := alive.fault(settings.host, settings.port)) is not None:
        raise click.ClickException(fault)


for command in (backup, keys, restore, status, storage, tasks):
    main.add_command(command)

if __name__ == "__main__":
    main()
