"""Whether ledger and storage belong together: both hold the same id, made when both were empty.

Without it a process on the wrong database, or with a storage that is not mounted, would take the pictures of all
others for orphans, and their sources for lost.
"""

import time
from typing import Final

import click

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import ServiceUnavailable
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.settings import JobSettings

_TOGETHER_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1
ADOPT: Final = "if they do belong together, run `python -m cutgate.gateway storage adopt`"


class WrongInstallation(Exception):
    """Ledger and storage are not of one installation; the text says what to do."""


class Installation:
    """The id of an installation, in its ledger and in its storage."""

    def __init__(self, store: Ledger, blobs: BlobStore) -> None:
        self._store, self._blobs = store, blobs

    def is_whole(self) -> bool:
        """Whether ledger and storage carry the same id, as things stand."""
        return self._store.server.installation() == self._blobs.installation()

    def require(self) -> None:
        """Make sure that ledger and storage belong together; where neither has an id, both get one.

        Raises:
            WrongInstallation: they do not.
            ServiceUnavailable: one of them does not answer.
        """
        recorded, stored = self._store.server.installation(), self._blobs.installation()
        if recorded is None and stored is None:
            # First into the ledger: of processes that start together one id counts, which all then store.
            recorded = self._store.server.install(new_token())
            stored = self._blobs.install(recorded)
        until_seconds = time.monotonic() + _TOGETHER_SECONDS
        while stored is None and recorded is not None and time.monotonic() < until_seconds:
            time.sleep(_LOOK_SECONDS)  # another process may be about to store the id that it has recorded
            stored = self._blobs.installation()
        if recorded == stored:
            return
        if stored is None:
            raise WrongInstallation(
                "the storage is not the ledger's: it has no id, and the ledger has one. Is the volume mounted, is "
                f"it the right bucket and prefix? {ADOPT}"
            )
        if recorded is None:
            raise WrongInstallation(
                "the ledger is not the storage's: it has no id, and the storage has one. Is it the right server "
                f"and database, and has it loaded its data? {ADOPT}"
            )
        raise WrongInstallation(
            f"ledger and storage are of two installations: give each a storage of its own; {ADOPT}"
        )

    def adopt(self) -> None:
        """Take an operator's word that they belong together."""
        own = self._store.server.installation() or self._blobs.installation() or new_token()
        self._store.server.install(own)
        self._blobs.install(own, replace=True)


def require_whole(settings: JobSettings, store: Ledger) -> None:
    """Make sure, at a process's start, that its server can hold the ledger and that the storage is the ledger's.

    What does not answer is not checked: whoever needs it waits for it.

    Raises:
        ClickException: a command's end, with a sentence that says what to do.
    """
    try:
        store.server.require_fit()
        Installation(store, open_blob_store(settings)).require()
    except (ServerUnfit, WrongInstallation) as error:
        raise click.ClickException(str(error)) from None
    except ServiceUnavailable as error:
        click.echo(f"ledger and storage are not checked: {error.message}", err=True)
