"""Operators' commands about what is stored: `python -m cutgate.gateway storage adopt` and `sweep`."""

import click

from cutgate.gateway.commands.console import opened
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.retention import Sweeper


@click.group()
def storage() -> None:
    """Give your word about ledger and storage, where the service waits for it."""


@storage.command()
def adopt() -> None:
    """Say that this ledger and this storage belong together, whatever they were before."""
    with opened() as parts:
        Installation(parts.ledger, open_blob_store(parts.settings)).adopt()
    click.echo("Ledger and storage belong together from now on.")


@storage.command()
def sweep() -> None:
    """Delete pictures that no task knows, even if they are most of what is stored."""
    with opened() as parts:
        blobs, grace_seconds = open_blob_store(parts.settings), parts.settings.orphan_grace_seconds
        sweeper = Sweeper(parts.ledger, blobs, orphan_grace_seconds=grace_seconds)
        removed = sweeper.sweep_orphans(however_many=True)
    click.echo(f"Pictures of {removed} tasks and uploads were deleted.")
