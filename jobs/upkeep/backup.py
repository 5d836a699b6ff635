"""Backups of ledger and storage: the ledger at one moment, and every picture that its records name."""

import hashlib
import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ids import BlobKey, new_token
from cutgate.jobs.ledger.database import batches
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.snapshot import Entry, Say, Snapshots, read
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.redis_client import ledger_errors
from cutgate.jobs.upkeep.installation import Installation
from cutgate.jobs.upkeep.loops import Every
from cutgate.jobs.upkeep.reaper import HOLD_SECONDS

_HELD_SECONDS: Final = 30.0
"""How long nothing is deleted after the backup last said so."""
_AT_ONCE: Final = 16
"""Pictures that are copied at a time: a bucket answers each after some time."""
_SAID_EVERY: Final = 1_000
_LEDGER, _PICTURES, _WHOLE = "ledger.jsonl", "pictures", "backup.json"


class BackupFailed(Exception):
    """A backup cannot be made or restored; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """Makes and restores backups of an installation."""

    ledger: Snapshots
    store: Ledger
    blobs: BlobStore
    say: Say

    def make(self, folder: Path) -> None:
        """Back up into a folder that is empty or not there; it has a `backup.json` once it is whole and checked.

        Raises:
            BackupFailed: the folder is in use, or the copy has not all that it should.
            ServiceUnavailable: ledger or storage are away or do not belong together.
        """
        Installation(self.store, self.blobs).require()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BackupFailed(f"{folder} is not empty: name a new folder")
        # What the ledger names at its moment is there until it is copied, for nothing is swept meanwhile.
        hold = partial(self.store.upkeep.suspend, "retention", new_token(), _HELD_SECONDS)
        hold()
        with Every(_HELD_SECONDS / 4, hold, "backup"):
            with (folder / _LEDGER).open("xb") as file:
                file.writelines(self.ledger.lines(self.say))
                file.flush()
                os.fsync(file.fileno())
            facts = _Facts.of(folder)
            missing = self._copy(facts.blobs, self.blobs, FileBlobStore(folder / _PICTURES))
        # Owners may have deleted uploads meanwhile, and nothing else.
        uploads = {key for key in missing if not self.ledger.has(f"task:{key.task}")}
        if lost := missing - uploads:
            raise BackupFailed(
                f"{len(lost)} pictures of records are not in the storage, such as {min(map(str, lost))}"
            )
        whole = {
            "installation": self.store.server.installation(),
            "ledger_sha256": _digest(folder),
            "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "missing": sorted(map(str, missing)),
        }
        (folder / _WHOLE).write_text(json.dumps(whole) + "\n", encoding="utf-8")
        self.say(f"whole and checked: {facts.open_items} open items, {len(facts.blobs) - len(missing)} pictures")

    def restore(self, folder: Path, *, replaces: bool) -> None:
        """Restore a backup into an empty ledger, and a storage that is empty or the backup's own.

        With `replaces` the ledger is emptied first, and the storage may be any; what there has no record is swept
        later. What fails leaves the ledger empty, and in the storage nothing that was not there.

        Raises:
            BackupFailed: the backup is not whole, or there is something where it should go.
            ServiceUnavailable: ledger or storage are away.
        """
        whole = _whole(folder)
        facts, copy = _Facts.of(folder), FileBlobStore(folder / _PICTURES)
        wanted = facts.blobs - set(map(BlobKey.parse, whole["missing"]))
        if lost := sum(not _has(copy, key) for key in wanted):
            raise BackupFailed(f"the backup is damaged: {folder / _PICTURES} lacks {lost} pictures")
        self._require_place(whole["installation"], replaces=replaces)
        is_own = self.blobs.installation() == whole["installation"]
        written = {key for key in wanted if not (is_own and _has(self.blobs, key))}
        try:
            self.ledger.clear()
            self._copy(written, copy, self.blobs)
            with (folder / _LEDGER).open("rb") as file, ledger_errors():
                owners = self.ledger.load(read(file), self.say)
            for owner in owners:
                self.store.claims.give_back_owned(owner, died=False)
            self.blobs.install(whole["installation"], replace=True)
            self.store.server.install(whole["installation"])
        except BaseException:
            self.blobs.delete(*written)
            self.ledger.clear()
            raise
        self.say(f"restored: {facts.open_items} open items, {len(wanted)} pictures")

    def _require_place(self, installation: str, *, replaces: bool) -> None:
        deadline_seconds = time.monotonic() + HOLD_SECONDS + 1
        while self.ledger.has("leader:reaper"):
            if time.monotonic() > deadline_seconds:
                raise BackupFailed("the service is running: stop gateways, workers and couriers first")
            time.sleep(0.1)
        if replaces:
            return
        if self.ledger.has("installation", "accounts"):
            raise BackupFailed("the ledger is not empty: --replace deletes what it holds")
        stored = self.blobs.installation()
        if stored != installation and (stored is not None or next(self.blobs.tasks(), None) is not None):
            raise BackupFailed("the storage is another installation's: --replace takes it over")

    def _copy(self, keys: set[BlobKey], source: BlobStore, target: BlobStore) -> set[BlobKey]:
        """Copy pictures, and name those that are not there."""

        def copied(key: BlobKey) -> bool:
            try:
                target.put(key, source.get(key))
            except BlobMissing:
                return False
            return True

        missing: set[BlobKey] = set()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number, batch in enumerate(batches(sorted(keys, key=str), _SAID_EVERY)):
                missing |= {key for key, there in zip(batch, pool.map(copied, batch), strict=True) if not there}
                self.say(f"{number * _SAID_EVERY + len(batch)} of {len(keys)} pictures")
        return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a check of a ledger's copy has found."""

    blobs: set[BlobKey]
    open_items: int

    @classmethod
    def of(cls, folder: Path) -> "_Facts":
        """Read a copy through, and make sure that counts and credits of every account are those of its items."""
        last: dict[str, Entry] = {}
        with (folder / _LEDGER).open("rb") as file:
            for entry in read(file):
                if entry.value is None:
                    last.pop(entry.key, None)
                elif entry.fields:
                    last[entry.key] = replace(entry, value=b"")
        sums, said = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for entry in last.values():
            if entry.is_open:
                sums[entry.fields["account"], "open"] += 1
                sums[entry.fields["account"], "reserved"] += int(entry.fields["reserved"])
            elif entry.kind == "account":
                name = entry.key.removeprefix(f"{KEY_PREFIX}account:")
                said.update({(name, field): int(value) for field, value in entry.fields.items()})
        if +sums != +said:
            raise BackupFailed("the copy's counts of open items or reserved credits are not those of its items")
        hidden = {
            entry.key.removeprefix(f"{KEY_PREFIX}task:") for entry in last.values() if "hidden" in entry.fields
        }
        return cls(
            blobs={blob for entry in last.values() for blob in entry.blobs() if blob.task not in hidden},
            open_items=sum(entry.is_open for entry in last.values()),
        )


def _digest(folder: Path) -> str:
    with (folder / _LEDGER).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole(folder: Path) -> dict[str, Any]:
    try:
        whole: dict[str, Any] = json.loads((folder / _WHOLE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise BackupFailed(f"{folder} has no whole backup: it lacks {_WHOLE}, which is written last") from None
    if _digest(folder) != whole["ledger_sha256"]:
        raise BackupFailed(f"the backup is damaged: {folder / _LEDGER} is not what was written")
    return whole


def _has(blobs: BlobStore, key: BlobKey) -> bool:
    try:
        blobs.open(key).close()
    except BlobMissing:
        return False
    return True
