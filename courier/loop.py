"""The courier's loop: takes errands as they fall due and runs several at a time."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import structlog

from cutgate.courier.errands import ErrandRunner
from cutgate.courier.observe import ended, observed
from cutgate.courier.presence import CourierPresence
from cutgate.jobs.errors import BlobStoreUnavailable, LedgerUnavailable, ServiceUnavailable
from cutgate.jobs.ids import new_token
from cutgate.jobs.ledger.events import ErrandEvents
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import Errand, ErrandKind

_AWAY_PAUSE_SECONDS: Final = 1.0
"""How long the loop rests, or an errand is put off, when a part does not answer."""
_LOOK_SECONDS: Final = 0.5
"""How often a loop that waits looks whether it is to stop."""
_SLOW_SECONDS: Final = 0.25
"""From then on an errand counts no more among the few: whoever waits for one must not wait for a slow server."""
_STEP_SECONDS: Final = 0.05
"""How often is looked for errands that have become slow, while no other may be taken."""
_DELIVERIES: Final = (ErrandKind.CALLBACK, ErrandKind.UPLOAD)

log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _UnderWay:
    """An errand that is being run."""

    errand: Errand
    began_at_seconds: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""

    @property
    def is_slow(self) -> bool:
        """Whether it takes long; one that is tried again did, or its server is in trouble."""
        return self.errand.attempt > 1 or time.monotonic() - self.began_at_seconds > _SLOW_SECONDS


@dataclass(kw_only=True)
class Courier:
    """Takes and runs errands until it is told to stop.

    Few errands are run at a time, so that many quick ones do not take more memory and connections than there are.
    One that waits for a slow server counts no longer among them. There may be many of these; past that the one
    that has taken longest is put back, of the account that has most of them.
    """

    store: Ledger
    events: ErrandEvents
    """Of the store."""
    runner: ErrandRunner
    presence: CourierPresence
    owner: str
    """The name under which it takes errands."""
    errands: int
    """How many it runs at a time, besides slow ones."""
    stop_seconds: float
    """How long it goes on with what is under way once it is told to stop."""
    slow_errands: int = 128
    """How many slow ones may go on: each holds a connection and little memory."""
    kept_errands: int = 2
    """How many of these fetches leave to deliveries, and deliveries to fetches; half at most."""
    poll_seconds: float = 1
    """How long it waits for news of errands before it looks by itself."""
    _under_way: dict[str, _UnderWay] = field(default_factory=dict, init=False)
    """By token."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _away: bool = field(default=False, init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until the event is set; what is not done in time then is given back.

        One thread asks the ledger, so that an idle courier costs it one call a turn, however many hands it has.
        """
        log.info("courier_started", owner=self.owner, errands=self.errands)
        while not stop.is_set():
            self._turn(stop)
        self._finish()
        log.info("courier_stopped", owner=self.owner)

    def _turn(self, stop: threading.Event) -> None:
        try:
            self.presence.announce()
            if not self._has_room():
                return
            errand = self.store.errands.take(self.owner, new_token(), self._kinds())
            self._note(away=False)
        except LedgerUnavailable as error:
            self._note(away=True, message=error.message)
            stop.wait(_AWAY_PAUSE_SECONDS)
            return
        if errand is None:
            self._wait(stop)
            return
        with self._lock:
            self._under_way[errand.token] = _UnderWay(errand)
        # A daemon: a server that holds an errand up must not hold the process up as well.
        threading.Thread(target=self._carry, args=[errand], name=f"errand-{errand.kind}", daemon=True).start()

    def _has_room(self) -> bool:
        """Wait a moment until another errand may be taken; False where none may."""
        until_seconds = time.monotonic() + _LOOK_SECONDS
        self._put_slow_ones_back()
        while len(self._quick()) >= self.errands:
            if time.monotonic() >= until_seconds:
                return False
            self.events.wait(_STEP_SECONDS)
            self._put_slow_ones_back()
        return True

    def _quick(self) -> list[ErrandKind]:
        """The kinds of what is under way and not slow."""
        with self._lock:
            return [carried.errand.kind for carried in self._under_way.values() if not carried.is_slow]

    def _put_slow_ones_back(self) -> None:
        """Put back what is too much."""
        with self._lock:
            slow = [carried for carried in self._under_way.values() if carried.is_slow]
            counts = Counter(carried.errand.account for carried in slow)
            slow.sort(key=lambda carried: (-counts[carried.errand.account], carried.began_at_seconds))
            too_many = slow[: max(0, len(slow) - self.slow_errands)]
            for carried in too_many:
                del self._under_way[carried.errand.token]
        for carried in too_many:
            log.info("errand_put_back", task_uid=carried.errand.task, account=carried.errand.account)
            self._put_back(carried.errand, self.runner.pause_seconds(carried.errand))

    def _kinds(self) -> list[ErrandKind]:
        """What it may take: neither fetches nor deliveries fill it, however slow their servers are."""
        most = max((self.errands + 1) // 2, self.errands - self.kept_errands)
        quick = self._quick()
        fetches = quick.count(ErrandKind.FETCH)
        kinds = [ErrandKind.FETCH] if fetches < most else []
        return [*kinds, *_DELIVERIES] if len(quick) - fetches < most else kinds

    def _wait(self, stop: threading.Event) -> None:
        ends_at_seconds = time.monotonic() + self.poll_seconds
        while not stop.is_set() and (left_seconds := ends_at_seconds - time.monotonic()) > 0:
            if self.events.wait(min(left_seconds, _LOOK_SECONDS)):
                return

    def _carry(self, errand: Errand) -> None:
        with observed(errand):
            try:
                self.runner.run(errand)
            except ServiceUnavailable as error:
                ended(errand, "interrupted")
                log.warning("errand_interrupted", kind=error.kind, message=error.message)
                if isinstance(error, BlobStoreUnavailable):
                    self._put_back(errand, _AWAY_PAUSE_SECONDS)
            except Exception:
                log.exception("errand_lost")  # it falls due again with the end of its lease
            finally:
                with self._lock:
                    self._under_way.pop(errand.token, None)
                # Others of its account, or of its kind, may be taken now.
                self.events.tell()

    def _finish(self) -> None:
        ends_at_seconds = time.monotonic() + self.stop_seconds
        while self._left() and time.monotonic() < ends_at_seconds:
            time.sleep(0.02)
        for errand in self._left():
            # Whatever comes of it after all no longer counts: the token holds no more.
            self._put_back(errand, 0)
        try:
            self.presence.leave()
        except LedgerUnavailable:
            log.info("presence_not_ended", owner=self.owner)

    def _left(self) -> list[Errand]:
        with self._lock:
            return [carried.errand for carried in self._under_way.values()]

    def _put_back(self, errand: Errand, seconds: float) -> None:
        try:
            self.store.errands.postpone(errand, seconds)
        except LedgerUnavailable as error:
            log.warning("errand_not_put_back", task_uid=errand.task, account=errand.account, message=error.message)

    def _note(self, *, away: bool, message: str = "") -> None:
        """Log a ledger that is away once when it goes and once when it is back."""
        if away and not self._away:
            log.warning("ledger_away", message=message)
        elif self._away and not away:
            log.info("ledger_back")
        self._away = away
