"""Whether ledger and storage belong together: both hold the same id, made when both were empty.

Without it a process on the wrong database, or with a storage that is not mounted, would take the pictures of all
others for orphans, and their sources for lost. The id begins with the format of what ledger and storage hold.
"""

import time
from typing import Final

import click

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import ServiceUnavailable, WrongInstallation
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.server import ServerUnfit
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.settings import JobSettings

_TOGETHER_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1
FORMAT: Final = "1"
"""Of records, keys and names of blobs: raised whenever an older or newer version would misread them."""
ADOPT: Final = "if they do belong together, run `python -m cutgate.gateway storage adopt`"
RESTORE: Final = "if it is lost, run `python -m cutgate.gateway restore` on a backup"


class Installation:
    """The id of an installation, in its ledger and in its storage."""

    def __init__(self, store: Ledger, blobs: BlobStore) -> None:
        self._store, self._blobs = store, blobs

    def is_whole(self) -> bool:
        """Whether ledger and storage carry the same id, as things stand."""
        return self._store.server.installation() == self._blobs.installation()

    def watch(self) -> None:
        """Note at the ledger's server whether both belong together; what was whole has not lost both ids.

        Raises:
            ServiceUnavailable: one of them does not answer.
        """
        server = self._store.server
        recorded, stored = server.installation(), self._blobs.installation()
        wrong = _difference(recorded, stored) or _other_format(recorded)
        if wrong is None and recorded is None and server.known is not None:
            wrong = f"ledger and storage have both lost their id. Are they empty? {RESTORE}; {ADOPT}"
        if wrong is None:
            server.known = recorded
        server.wrong = wrong

    def require(self) -> None:
        """Make sure that ledger and storage belong together; where neither has an id, both get one.

        Raises:
            WrongInstallation: they do not.
            ServerUnfit: they have another format than this version of the program.
            ServiceUnavailable: one of them does not answer.
        """
        recorded, stored = self._store.server.installation(), self._blobs.installation()
        if recorded is None and stored is None:
            # First into the ledger: of processes that start together one id counts, which all then store.
            recorded = self._store.server.install(_new_id())
            stored = self._blobs.install(recorded)
        until_seconds = time.monotonic() + _TOGETHER_SECONDS
        while stored is None and recorded is not None and time.monotonic() < until_seconds:
            time.sleep(_LOOK_SECONDS)  # another process may be about to store the id that it has recorded
            stored = self._blobs.installation()
        if (difference := _difference(recorded, stored)) is not None:
            raise WrongInstallation(difference)
        if (other := _other_format(recorded)) is not None:
            raise ServerUnfit(other)

    def adopt(self) -> None:
        """Take an operator's word that they belong together."""
        own = self._store.server.installation() or self._blobs.installation() or _new_id()
        self._store.server.install(own)
        self._blobs.install(own, replace=True)


def _new_id() -> str:
    return f"{FORMAT}.{new_token()}"


def _other_format(recorded: str | None) -> str | None:
    """What is wrong with the format that an id begins with, and what to do; None where it is this version's."""
    found, _, token = (recorded or _new_id()).rpartition(".")
    if found == FORMAT:
        return None
    return (
        f"this ledger has format {found or token}, this version of Cutgate reads {FORMAT}: "
        "install the version that made the ledger, or one whose changelog says how to move it"
    )


def _difference(recorded: str | None, stored: str | None) -> str | None:
    """What is wrong with the ids of ledger and storage, and what to do; None where they are equal."""
    if recorded == stored:
        return None
    if stored is None:
        return (
            "the storage is not the ledger's: it has no id, and the ledger has one. Is the volume mounted, is "
            f"it the right bucket and prefix? {RESTORE}; {ADOPT}"
        )
    if recorded is None:
        return (
            "the ledger is not the storage's: it has no id, and the storage has one. Is it the right server "
            f"and database, and has it loaded its data? {RESTORE}; {ADOPT}"
        )
    return f"ledger and storage are of two installations: give each a storage of its own; {ADOPT}"


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
