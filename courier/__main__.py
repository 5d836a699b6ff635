"""The courier's commands: `python -m cutgate.courier run` and `check`."""

import socket

import click

from cutgate.courier import process
from cutgate.courier.presence import CourierPresence
from cutgate.courier.settings import CourierSettings
from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.gateway.commands.console import reported_errors
from cutgate.gateway.picpik.rendering import renderers as picpik_renderers
from cutgate.gateway.runware.messages.rendering import Rendering
from cutgate.gateway.runware.messages.rendering import renderers as runware_renderers
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.ledger.ledger import Ledger
from cutgate.jobs.observe import logs
from cutgate.jobs.redis_client import connect_ledger
from cutgate.jobs.settings import load_settings
from cutgate.jobs.upkeep.installation import require_whole
from cutgate.jobs.urls import ResultPaths


@click.group()
def main() -> None:
    """Run Cutgate's courier, which speaks to servers outside: for sources by URL, callbacks and uploads."""


@main.command()
def run() -> None:
    """Fetch sources by URL and deliver callbacks and results, until a signal says to stop."""
    settings = load_settings(CourierSettings)
    with connect_ledger(settings) as client:
        logs.configure(settings.log_format, settings.log_level)
        store = Ledger(client, settings.ledger_limits())
        require_whole(settings, store)
        tasks = Tasks(
            store=store,
            paths=ResultPaths(settings.master_keys()),
            retention_seconds=settings.retention_seconds,
        )
        rendering = Rendering(
            tasks=tasks,
            blobs=open_blob_store(settings),
            usd_per_credit=settings.usd_per_credit,
            upload_retention_seconds=settings.upload_retention_seconds,
        )
        # A callback's body has the form of the façade that took the task.
        renderers = {
            **picpik_renderers(tasks, settings.public_url or ""),
            **runware_renderers(rendering, settings.public_url),
        }
        accounts = Accounts(KeyTable(client), settings.master_keys())
        process.run(settings, client, renderers, accounts.callback_secret)


@main.command()
def check() -> None:
    """Exit with 1 unless a courier of this machine is alive."""
    settings = load_settings(CourierSettings)
    with connect_ledger(settings) as client, reported_errors():
        alive = CourierPresence(client, socket.gethostname()).alive()
    if not alive:
        raise click.ClickException("no courier of this machine is alive")


if __name__ == "__main__":
    main()
