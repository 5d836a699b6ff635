"""Many pictures: each is done once, over as many calls as that takes."""

import hashlib
import json
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

from cutgate.batches.journal import Entry, Journal
from cutgate.batches.planning import Order
from cutgate.errors import (
    UNKNOWN_TASK,
    ConversionFailed,
    CutgateError,
    JobFailed,
    JobTimeout,
    ResultChanged,
    ServiceError,
    TransportError,
)
from cutgate.files import full_disk_told, write_whole
from cutgate.protocol.conversation import Conversation, Ticket
from cutgate.protocol.flows import Flow, work
from cutgate.protocol.picpik import Settings

AT_ONCE: Final = 4
"""Pictures on their way at a time: enough to keep the workers busy while others are sent and fetched."""

HOPELESS_CODES: Final = frozenset({170, 171, 172, 520})
"""What the service says of the account and will say of the next picture as well."""
PASSING_CODES: Final = frozenset({130, 150, 153})
HOPELESS_FAULTS: Final = 3
"""After so many pictures in a row that got no answer, the service is taken to be away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one picture."""

    source: Path
    target: Path
    """Its result's file."""
    state: Literal["saved", "kept", "failed"]
    """`kept`: an earlier call had saved the result, of the same picture with the same settings."""
    uid: str | None
    """The task at the service, where there was one."""
    subject_found: bool | None = None
    """False where the result is clear throughout, for want of a subject; None where that is not known."""
    replaced: bool = False
    """Whether another file had the result's name, and nobody had asked to make it again."""
    error: CutgateError | OSError | None = None
    """Why it failed."""

    @property
    def may_pass(self) -> bool:
        """Whether the same may do better later, because nothing is wrong with the picture."""
        match self.error:
            case ServiceError(ret_code=code):
                return code in PASSING_CODES
            case TransportError(passing=passing):
                return passing
            case error:
                return isinstance(error, JobTimeout)

    @property
    def hopeless(self) -> bool:
        """Whether no other picture would do better."""
        return isinstance(self.error, ServiceError) and self.error.ret_code in HOPELESS_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call with many pictures is."""

    outcome: Outcome
    """Of the picture that ended last."""
    saved: int
    kept: int
    failed: int
    total: int

    @property
    def done(self) -> int:
        """Pictures that have ended, in any way."""
        return self.saved + self.kept + self.failed


@dataclass(slots=True)
class Report:
    """What became of all pictures of a call."""

    orders: int
    outcomes: list[Outcome] = field(default_factory=list)
    """In the order in which the pictures ended."""
    _counts: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _unanswered: int = field(default=0, init=False, repr=False)

    def of(self, state: Literal["saved", "kept", "failed"]) -> list[Outcome]:
        """The pictures that ended so."""
        return [outcome for outcome in self.outcomes if outcome.state == state]

    @property
    def without_subject(self) -> list[Outcome]:
        """The pictures whose results are clear throughout, as far as that is known."""
        return [outcome for outcome in self.outcomes if outcome.subject_found is False]

    @property
    def untried(self) -> int:
        """Pictures that were not begun, because the service was away or refused the account."""
        return self.orders - len(self.outcomes)

    @property
    def ok(self) -> bool:
        """Whether every picture has its result."""
        return not self.untried and not self.of("failed")

    def add(self, outcome: Outcome) -> Progress:
        """Take a picture's end in."""
        self.outcomes.append(outcome)
        unanswered = isinstance(outcome.error, TransportError) and outcome.may_pass
        self._unanswered = self._unanswered + 1 if unanswered else 0
        self._counts[outcome.state] += 1
        counts = {state: self._counts[state] for state in ("saved", "kept", "failed")}
        return Progress(outcome=outcome, total=self.orders, **counts)

    @property
    def hopeless(self) -> bool:
        """Whether to begin no further picture."""
        return self._unanswered >= HOPELESS_FAULTS or any(outcome.hopeless for outcome in self.outcomes[-1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How results are made."""

    settings: Settings
    suffix: str = ".png"
    """What the names of the files end with."""
    convert: Callable[[bytes], bytes] | None = None
    """Makes the file's content from the delivered PNG; the PNG itself otherwise."""
    variant: str = ""
    """Names what `convert` does: results of another variant are made anew."""
    timeout_seconds: float = 300
    """How long to wait for one picture."""

    def fingerprint(self, source: Path) -> str:
        """Changes with the picture's file, and with how its result is made."""
        facts = source.stat()
        text = json.dumps(
            [facts.st_size, facts.st_mtime_ns, self.settings, self.suffix, self.variant], sort_keys=True
        )
        return _digest(text.encode())


class Content(NamedTuple):
    """What a file is to be made of."""

    data: bytes
    subject_found: bool | None


class Batch(ABC):
    """Pictures into one folder, which remembers how far they are.

    Args:
        journal: of the folder, entered.
        making: how results are made.
        again: whether to make results anew that are there.
    """

    def __init__(self, journal: Journal, making: Making, *, again: bool = False) -> None:
        self._journal, self._making, self._again = journal, making, again

    @abstractmethod
    def _content(self, order: Order, entry: Entry, ticket: Ticket) -> Flow[Content]:
        """Have a picture cut out; the ticket gets the task's id, where there is one."""

    def cut(self, order: Order) -> Flow[Outcome]:
        """Bring one picture to its end, from wherever an earlier call left it. What is wrong is in the outcome."""
        ticket = Ticket("")
        target = self._journal.folder / order.target
        outcome = partial(Outcome, source=order.source.path, target=target)
        try:
            with full_disk_told(target):  # of the journal as well; no picture is read with such an error
                return (yield from self._cut(order, ticket, outcome))
        except (CutgateError, OSError) as error:
            entry = self._journal.find(order.target)
            # A request that was refused is nothing to the service, so it may be sent again under its id.
            if entry is not None and isinstance(error, JobFailed):
                yield from self._note(replace(entry, state="failed"))
            return outcome(state="failed", uid=ticket.uid or None, error=error)

    def _cut(self, order: Order, ticket: Ticket, outcome: Callable[..., Outcome]) -> Flow[Outcome]:
        target = self._journal.folder / order.target
        entry = yield from work(partial(self._entry, order))
        if entry.state == "saved" and target.exists():
            return outcome(state="kept", uid=entry.uid, subject_found=entry.subject_found)
        content = yield from self._content(order, entry, ticket)
        replaced = target.exists() and not self._again
        digest = yield from work(partial(self._save, target, content.data, ticket.uid))
        entry, found = self._journal.find(order.target) or entry, content.subject_found
        yield from self._note(replace(entry, state="saved", subject_found=found, digest=digest))
        return outcome(state="saved", uid=entry.uid, subject_found=found, replaced=replaced)

    def is_done(self, order: Order) -> bool:
        """Whether the result is there, so that nothing has to be made."""
        with suppress(OSError):  # of which `cut` tells
            entry = self._known(order)
            return entry is not None and entry.state == "saved" and (self._journal.folder / order.target).exists()
        return False

    def _known(self, order: Order) -> Entry | None:
        """The entry of the same picture with the same settings, where its result may be kept or gone on with."""
        entry = self._journal.find(order.target)
        if entry is None or self._again or entry.state == "failed":
            return None
        same = entry.name == self._journal.called(order.source.name)
        return entry if same and entry.fingerprint == self._making.fingerprint(order.source.path) else None

    def _entry(self, order: Order) -> Entry:
        """How far the picture is; a new entry when it is to be begun.

        Raises:
            ResultChanged: somebody has changed the result that is there, and nobody asked to make it again.
        """
        if (known := self._known(order)) is not None:
            return known
        before, target = self._journal.find(order.target), self._journal.folder / order.target
        written = before.digest if before and target.exists() and not self._again else ""
        if written and written != _digest(target.read_bytes()):
            raise ResultChanged(target)
        return self._begin(order, self._making.fingerprint(order.source.path))

    def _begin(self, order: Order, fingerprint: str) -> Entry:
        before = self._journal.find(order.target)
        return self._journal.note(
            Entry(
                target=self._journal.called(order.target),
                name=self._journal.called(order.source.name),
                fingerprint=fingerprint,
                request_uuid=str(uuid.uuid4()),
                digest=before.digest if before else "",
            ),
        )

    def _note(self, entry: Entry) -> Flow[Entry]:
        return work(partial(self._journal.note, entry))

    def _save(self, target: Path, content: bytes, uid: str) -> str:
        """Write the file; returns its digest."""
        if self._making.convert is not None:
            try:
                content = self._making.convert(content)
            except (CutgateError, OSError):
                raise
            except Exception as error:
                raise ConversionFailed(uid, f"{type(error).__name__}: {error}") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
        return _digest(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


class ServiceBatch(Batch):
    """Pictures that a service cuts out.

    Args:
        conversation: with the service.
        journal: of the folder, entered.
        making: how results are made.
        again: whether to make results anew that are there.
    """

    def __init__(
        self, conversation: Conversation, journal: Journal, making: Making, *, again: bool = False
    ) -> None:
        super().__init__(journal, making, again=again)
        self._conversation = conversation

    def _content(self, order: Order, entry: Entry, ticket: Ticket) -> Flow[Content]:
        """Hand the picture in, if that was not done, and fetch its result."""
        resumed = entry.uid is not None
        if entry.uid is None:
            submit = self._conversation.submit(order.source.path, self._making.settings, entry.request_uuid)
            entry = yield from self._note(replace(entry, uid=(yield from submit)))
        ticket.uid, ticket.ended = entry.uid or "", None
        try:
            data = yield from self._conversation.result(ticket, self._making.timeout_seconds)
            return Content(data, ticket.subject_found)
        except JobFailed as error:
            if not resumed or error.code != UNKNOWN_TASK:
                raise
        # An earlier call handed it in, and the service keeps results for a day only.
        entry = yield from work(partial(self._begin, order, entry.fingerprint))
        return (yield from self._content(order, entry, ticket))
