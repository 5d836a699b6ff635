"""Operators' commands about what is stored: `python -m cutgate.gateway backup`, `restore`, and `storage`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from cutgate.gateway.commands.console import opened
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import LedgerBroken
from cutgate.jobs.ledger.snapshot import REPLY_SECONDS, Snapshots
from cutgate.jobs.redis_client import connect
from cutgate.jobs.upkeep.backup import BackupFailed, Backups
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.retention import Sweeper

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


@contextmanager
def _backups() -> Iterator[Backups]:
    with opened() as parts:
        url = parts.settings.redis_url.get_secret_value()
        with connect(url, socket_timeout_seconds=REPLY_SECONDS, raw=True) as client:
            say = partial(click.echo, err=True)
            try:
                yield Backups(
                    ledger=Snapshots(client), store=parts.ledger, blobs=open_blob_store(parts.settings), say=say
                )
            except BackupFailed as error:
                raise click.ClickException(str(error)) from None
            except OSError as error:
                raise click.ClickException(f"{error.filename or 'the backup'}: {error.strerror}") from None
            except LedgerBroken as error:
                raise click.ClickException(f"{error}; is the server older than the one of the backup?") from None


@click.command()
@folder_argument
def backup(folder: Path) -> None:
    """Back up ledger and pictures into a new folder, while the service runs, and check the copy.

    It needs the URL of a user of Redis who may administer it. The master key is not in the copy.
    """
    with _backups() as backups:
        backups.make(folder)


@click.command()
@folder_argument
@click.option("--replace", is_flag=True, help="Empty the ledger first, and take over the storage.")
def restore(folder: Path, *, replace: bool) -> None:
    """Restore a backup into an empty ledger and storage, while the service is stopped.

    A storage that is still the backup's own keeps its pictures, and gets those that it lacks.
    """
    with _backups() as backups:
        backups.restore(folder, replaces=replace)


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
