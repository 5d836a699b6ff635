"""The ledger's errands in Redis or Valkey. The keys are listed in `cutgate.jobs.ledger.keys`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from typing_extensions import override

from cutgate.jobs.ledger.encoding import decode_errand, encode_error, encode_result, milliseconds
from cutgate.jobs.ledger.errands import (
    EVERY_KIND,
    Errand,
    ErrandKind,
    Errands,
    require_delivery,
    require_fetch,
    require_keepable,
    require_worked_on,
)
from cutgate.jobs.ledger.keys import item_name
from cutgate.jobs.ledger.redis.client import Json
from cutgate.jobs.ledger.redis.upkeep import RedisUpkeep
from cutgate.jobs.ledger.redis.uploads import record_of
from cutgate.jobs.ledger.upkeep import BATCH
from cutgate.jobs.record import ErrorFacts, Upload
from cutgate.jobs.spec import Lane

_FIELDS: Final = ("request", "account", "url", "keep", "attempt", "first_due_at_ms", "taken_at_ms")
"""What TAKE_ERRAND answers of an errand, behind its name."""


class RedisErrands(RedisUpkeep, Errands):
    """The part of the Redis ledger that is for couriers."""

    @override
    def take_errand(self, owner: str, token: str, kinds: Sequence[ErrandKind] = EVERY_KIND) -> Errand | None:
        answer = self._scripts.run(
            "take_errand",
            kinds=list(kinds),
            owner=owner,
            token=token,
            lease_ms=milliseconds(self._limits.errand_lease_seconds),
            account_cap=self._limits.account_errand_cap,
            batch=BATCH,
        )
        if answer is None:
            return None
        name, *values = answer
        return decode_errand(name, token, dict(zip(_FIELDS, values, strict=True)))

    @override
    def fetched(self, errand: Errand) -> Lane | None:
        require_worked_on(errand)
        item = item_name(errand.task, errand.index)
        lane = self._with_hold("fetched", errand, item=item, source=str(errand.source))
        return None if lane is None else Lane(lane)

    @override
    def kept(self, errand: Errand, upload: Upload) -> bool:
        require_keepable(errand, upload)
        item, result = item_name(errand.task, errand.index), encode_result(upload.as_result())
        record = record_of(upload, self._limits)
        return bool(self._with_hold("kept", errand, item=item, result=result, **record))

    @override
    def fetch_failed(self, errand: Errand, error: ErrorFacts) -> bool:
        require_fetch(errand)
        item = item_name(errand.task, errand.index)
        return bool(self._with_hold("fetch_failed", errand, item=item, error=encode_error(error)))

    @override
    def postpone(self, errand: Errand, seconds: float) -> bool:
        return bool(self._with_hold("postpone", errand, delay_ms=milliseconds(seconds)))

    @override
    def errand_done(self, errand: Errand) -> bool:
        require_delivery(errand)
        return bool(self._with_hold("errand_done", errand))

    @override
    def errands_due(self) -> int:
        due: int = self._scripts.run("errands_due", kinds=list(EVERY_KIND))
        return due

    def _with_hold(self, script: str, errand: Errand, **arguments: Json) -> Any:
        """Run a script that needs the hold of an errand's courier."""
        return self._scripts.run(script, errand=errand.id, token=errand.token, **arguments)
