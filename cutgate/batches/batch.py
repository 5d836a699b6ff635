"""Many pictures: each is done once, over as many calls as that takes."""

import json
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from cutgate.batches.journal import Entry, Journal, digest_of
from cutgate.batches.planning import PlannedPicture
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
from cutgate.files import raising_output_full, write_whole
from cutgate.protocol.calls import JobHandle, PicpikCalls
from cutgate.protocol.connection import Download
from cutgate.protocol.flows import Flow, in_thread
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
    confidence: float | None = None
    """How likely the result is right, 0 to 1; None where that is not known."""
    review: bool = False
    """Whether the result lies among those to be reviewed."""
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

    total: int
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
    def for_review(self) -> list[Outcome]:
        """The pictures whose results were put aside for review."""
        return [outcome for outcome in self.outcomes if outcome.review]

    @property
    def untried(self) -> int:
        """Pictures that were not begun, because the service was away or refused the account."""
        return self.total - len(self.outcomes)

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
        return Progress(outcome=outcome, total=self.total, **counts)

    @property
    def hopeless(self) -> bool:
        """Whether to begin no further picture."""
        return self._unanswered >= HOPELESS_FAULTS or any(outcome.hopeless for outcome in self.outcomes[-1:])


@dataclass(frozen=True, slots=True)
class Review:
    """Where results go that are likely to be wrong."""

    below: float
    """Confidence under which they do."""
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
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
    again: bool = False
    """Whether to make results anew that are there."""
    review: Review | None = None

    def fingerprint(self, source: Path) -> str:
        """Changes with the picture's file, and with how its result is made."""
        facts = source.stat()
        text = json.dumps(
            [facts.st_size, facts.st_mtime_ns, self.settings, self.suffix, self.variant], sort_keys=True
        )
        return digest_of(text.encode())


class Batch(ABC):
    """Pictures into one folder, which remembers how far they are."""

    def __init__(self, journal: Journal, recipe: Recipe) -> None:
        self._journal, self._recipe = journal, recipe

    @abstractmethod
    def _content(self, picture: PlannedPicture, entry: Entry, handle: JobHandle) -> Flow[Download]:
        """Have a picture cut out; the handle gets the task's id, where there is one."""

    def cut(self, picture: PlannedPicture) -> Flow[Outcome]:
        """Bring one picture to its end, from wherever an earlier call left it. What is wrong is in the outcome."""
        handle = JobHandle("")
        target = self._journal.folder / picture.target
        outcome = partial(Outcome, source=picture.source.path, target=target)
        try:
            with raising_output_full(target):  # of the journal as well; no picture is read with such an error
                return (yield from self._cut(picture, handle, outcome))
        except (CutgateError, OSError) as error:
            entry = self._journal.find(picture.target)
            # A request that was refused is nothing to the service, so it may be sent again under its id.
            if entry is not None and isinstance(error, JobFailed):
                yield from self._note(replace(entry, state="failed"))
            return outcome(state="failed", uid=handle.uid or None, error=error)

    def _cut(self, picture: PlannedPicture, handle: JobHandle, outcome: Callable[..., Outcome]) -> Flow[Outcome]:
        entry = yield from in_thread(partial(self._entry, picture))
        if entry.state == "saved" and (there := self._file(picture, entry)).exists():
            return _told(outcome, entry, target=there, state="kept", review=str(there) == entry.review)
        result = yield from self._content(picture, entry, handle)
        review = self._recipe.review
        if review is not None and (result.confidence is None or result.confidence >= review.below):
            review = None
        target = (review or self._journal).folder / picture.target
        replaced = target.exists() and not self._recipe.again
        digest = yield from in_thread(partial(self._save, target, result.content, handle.uid))
        entry = self._journal.find(picture.target) or entry
        before = self._file(picture, entry)
        if entry.digest and before.exists() and not before.samefile(target):
            before.unlink()  # else the result lay in both places
        entry = replace(
            entry,
            state="saved",
            subject_found=result.subject_found,
            confidence=result.confidence,
            review=str(target.absolute()) if review else "",
            digest=digest,
        )
        yield from self._note(entry)
        return _told(outcome, entry, target=target, state="saved", review=review is not None, replaced=replaced)

    def _file(self, picture: PlannedPicture, entry: Entry) -> Path:
        """The result's file; the one put aside for review only while it is there: it may have been moved back."""
        aside = Path(entry.review)
        return aside if entry.review and aside.exists() else self._journal.folder / picture.target

    def is_done(self, picture: PlannedPicture) -> bool:
        """Whether the result is there, so that nothing has to be made."""
        with suppress(OSError):  # of which `cut` tells
            entry = self._known(picture)
            return entry is not None and entry.state == "saved" and self._file(picture, entry).exists()
        return False

    def _known(self, picture: PlannedPicture) -> Entry | None:
        """The entry of the same picture with the same settings, where its result may be kept or gone on with."""
        entry = self._journal.find(picture.target)
        if entry is None or self._recipe.again or entry.state == "failed":
            return None
        same = entry.name == self._journal.called(picture.source.name)
        return entry if same and entry.fingerprint == self._recipe.fingerprint(picture.source.path) else None

    def _entry(self, picture: PlannedPicture) -> Entry:
        """How far the picture is; a new entry when it is to be begun."""
        if (known := self._known(picture)) is not None:
            return known
        before = self._journal.find(picture.target)
        if before and before.digest and not self._recipe.again:
            there = self._file(picture, before)
            if there.exists() and before.digest != digest_of(there.read_bytes()):
                raise ResultChanged(there)
        return self._begin(picture, self._recipe.fingerprint(picture.source.path))

    def _begin(self, picture: PlannedPicture, fingerprint: str) -> Entry:
        before = self._journal.find(picture.target)
        return self._journal.note(
            Entry(
                target=self._journal.called(picture.target),
                name=self._journal.called(picture.source.name),
                fingerprint=fingerprint,
                request_uuid=str(uuid.uuid4()),
                digest=before.digest if before else "",
                review=before.review if before else "",
            ),
        )

    def _note(self, entry: Entry) -> Flow[Entry]:
        return in_thread(partial(self._journal.note, entry))

    def _save(self, target: Path, content: bytes, uid: str) -> str:
        """Write the file; returns its digest."""
        if self._recipe.convert is not None:
            try:
                content = self._recipe.convert(content)
            except (CutgateError, OSError):
                raise
            except Exception as error:
                raise ConversionFailed(uid, f"{type(error).__name__}: {error}") from error
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
        return digest_of(content)


def _told(outcome: Callable[..., Outcome], entry: Entry, **how: Any) -> Outcome:
    """The end of a picture that has its result."""
    return outcome(uid=entry.uid, subject_found=entry.subject_found, confidence=entry.confidence, **how)


class ServiceBatch(Batch):
    """Pictures that a service cuts out."""

    def __init__(self, calls: PicpikCalls, journal: Journal, recipe: Recipe) -> None:
        super().__init__(journal, recipe)
        self._calls = calls

    def _content(self, picture: PlannedPicture, entry: Entry, handle: JobHandle) -> Flow[Download]:
        """Hand the picture in, if that was not done, and fetch its result."""
        resumed = entry.uid is not None
        if entry.uid is None:
            submit = self._calls.submit(picture.source.path, self._recipe.settings, entry.request_uuid)
            entry = yield from self._note(replace(entry, uid=(yield from submit)))
        handle.uid, handle.ended = entry.uid or "", None
        try:
            data = yield from self._calls.result(handle, self._recipe.timeout_seconds)
            return Download(data, handle.subject_found, handle.confidence)
        except JobFailed as error:
            if not resumed or error.code != UNKNOWN_TASK:
                raise
        # An earlier call handed it in, and the service keeps results for a day only.
        entry = yield from in_thread(partial(self._begin, picture, entry.fingerprint))
        return (yield from self._content(picture, entry, handle))
