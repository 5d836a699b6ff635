"""Errands in the ledger: the calls of couriers. `cutgate.jobs.ledger.keys` lists the keys."""

from collections.abc import Sequence
from typing import Any, Final

from cutgate.jobs.errors import ProcessingFailed
from cutgate.jobs.ledger.database import BATCH, Database, Json
from cutgate.jobs.ledger.encoding import RESULT, decode_errand, encode_error, milliseconds, refusal_of
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.uploads import record_of, upload_caps
from cutgate.jobs.record import EVERY_KIND, AccountCaps, Errand, ErrandKind, ErrorFacts, Upload

_CRASHED: Final = ProcessingFailed("couriers stopped repeatedly on this picture's address").facts()
_FIELDS: Final = (
    "request",
    "account",
    "url",
    "keep",
    "attempt",
    "first_due_at_ms",
    "taken_at_ms",
    "background_url",
)
"""What TAKE_ERRAND answers of an errand, behind its name."""


class Errands:
    """What couriers do.

    A move needs a token that holds: it does until another courier takes the errand, also past the lease, or
    until the errand ends or is postponed. Without one it has no effect, and the answer is False. A repeat answers
    as the first call. `ValueError` says that an errand of another kind ends otherwise.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def take(self, owner: str, token: str, kinds: Sequence[ErrandKind] = EVERY_KIND) -> Errand | None:
        """Take an errand, in turn between the accounts and kinds of which some are due; None when there is none.

        Within an account and kind it is the errand that has been due for longest. Accounts of which
        `LedgerLimits.account_errand_cap` are under way are passed over. A second call with the same token, a fresh
        one for each taking, answers with the same errand while the token holds.
        """
        answer = self._db.run(
            "take_errand",
            kinds=list(kinds),
            owner=owner,
            token=token,
            lease_ms=milliseconds(self._db.limits.errand_lease_seconds),
            account_cap=self._db.limits.account_errand_cap,
            batch=BATCH,
            max_crashes=self._db.limits.errand_max_crashes,
            crashed=encode_error(_CRASHED),
            source_ms=self._db.source_ms,
        )
        if answer is None:
            return None
        name, *values = answer
        return decode_errand(name, token, dict(zip(_FIELDS, values, strict=True)))

    def fetched(self, errand: Errand, megapixels: int = 1) -> bool:
        """End a FETCH: what it was for lies under `errand.source` and `errand.background`, and the item waits.

        The megapixels of the source beyond the first, rounded up, count in the item's rate, free or not.
        """
        _require(
            errand.kind is ErrandKind.FETCH and not errand.keep,
            "a delivery ends with `done`, for its task has ended; what is to be kept, with `kept`",
        )
        item = item_name(errand.task, errand.index)
        brought = {"source": errand.source, "background": errand.background}
        keys = {name: str(key) for name, key in brought.items() if key is not None}
        return bool(self._with_hold("fetched", errand, item=item, megapixels=megapixels, **keys))

    def kept(self, errand: Errand, upload: Upload) -> bool:
        """The bytes lie under `upload.blob`: they are an upload from now on, which ends item and errand.

        Returns:
            False also when the upload's id is so old that its blob may be swept. The caller deletes the blob.

        Raises:
            UploadsFull: the account has no room for it; the errand is still the caller's, who deletes the blob.
        """
        _require(
            errand.kind is ErrandKind.FETCH and errand.keep,
            "what is to be worked on ends with `fetched`, a delivery with `done`",
        )
        _require(errand.account == upload.account, "what is fetched for an account is kept for that account")
        item, result = item_name(errand.task, errand.index), RESULT.encode(upload.as_result())
        record = record_of(upload, self._db.limits) | upload_caps(AccountCaps(), self._db.limits)
        verdict, *facts = self._with_hold("kept", errand, item=item, result=result, **record)
        if verdict == "uploads":
            raise refusal_of(verdict, facts)
        return bool(verdict == "kept")

    def fetch_failed(self, errand: Errand, error: ErrorFacts) -> bool:
        """End a FETCH and its item as failed, which releases the price."""
        _require(errand.kind is ErrandKind.FETCH, "a delivery ends with `done`: its task has ended")
        item = item_name(errand.task, errand.index)
        facts = encode_error(error)
        return bool(self._with_hold("fetch_failed", errand, item=item, error=facts, source_ms=self._db.source_ms))

    def postpone(self, errand: Errand, seconds: float) -> bool:
        """Let go of an errand, which falls due again after a time."""
        return bool(self._with_hold("postpone", errand, delay_ms=milliseconds(seconds)))

    def done(self, errand: Errand) -> bool:
        """End a delivery: it is made, or given up."""
        _require(errand.kind is not ErrandKind.FETCH, "a fetch ends with its item")
        return bool(self._with_hold("errand_done", errand))

    def due(self) -> int:
        """How many errands wait for a courier."""
        due: int = self._db.run("errands_due", kinds=list(EVERY_KIND))
        return due

    def _with_hold(self, script: str, errand: Errand, **arguments: Json) -> Any:
        """Run a script that needs the hold of an errand's courier."""
        return self._db.run(script, errand=errand.id, token=errand.token, **arguments)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
