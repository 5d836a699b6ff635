"""Operators' commands about what is stored: `python -m cutgate.gateway storage adopt` and `sweep`."""

import click

from cutgate.gateway.commands.console import reported_errors
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.console import read_settings
from cutgate.jobs.ledger.redis.client import connect_ledger
from cutgate.jobs.ledger.redis.ledger import RedisLedger
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.retention import Sweeper


@click.group()
def storage() -> None:
    """Give your word about ledger and storage, where the service waits for it."""


@storage.command()
def adopt() -> None:
    """Say that this ledger and this storage belong together, whatever they were before."""
    settings = read_settings(GatewaySettings)
    with connect_ledger(settings) as client, reported_errors():
        Installation(RedisLedger(client, settings.ledger_limits()), open_blob_store(settings)).adopt()
    click.echo("Ledger and storage belong together from now on.")


@storage.command()
def sweep() -> None:
    """Delete pictures that no task knows, even if they are most of what is stored."""
    settings = read_settings(GatewaySettings)
    with connect_ledger(settings) as client, reported_errors():
        store, blobs = RedisLedger(client, settings.ledger_limits()), open_blob_store(settings)
        sweeper = Sweeper(store, blobs, orphan_grace_seconds=settings.orphan_grace_seconds)
        removed = sweeper.sweep_orphans(however_many=True)
    click.echo(f"Pictures of {removed} tasks and uploads were deleted.")
