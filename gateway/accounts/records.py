"""Accounts, key pairs and API keys as they are stored: forms and changes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.record import AccountCaps
from cutgate.jobs.spec import ModelChoice, ModelName, Precision


class AccountError(Exception):
    """An account or one of its keys cannot be added or changed, or its record not be read."""


class Record(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def encoded(self) -> str:
        """The record as it is stored."""
        return self.model_dump_json(exclude_none=True)


class Resealed(StrEnum):
    """What became of a record whose secrets were to be sealed under the first master key."""

    DONE = "resealed"
    BEFORE = "unchanged"
    """They were, or it has none."""
    UNREADABLE = "unreadable"
    """They were sealed under none of the master keys that are set."""


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Records(Generic[R]):
    """The records of one kind."""

    table: KeyTable
    kind: str
    form: type[R]

    def add(self, name: str, record: R) -> bool:
        """Write a record where there is none; False where there is another."""
        return self.table.add(self.kind, name, record.encoded())

    def get(self, name: str) -> R | None:
        """A record, or None."""
        raw = self.table.read(self.kind, name)
        return None if raw is None else self.form.model_validate_json(raw)

    def all(self) -> dict[str, R]:
        """Every record by its name."""
        return {name: self.form.model_validate_json(raw) for name, raw in self.table.all(self.kind).items()}

    def change(self, name: str, change: Callable[[R], R], *, missing: str) -> R:
        """Change a record; once more where another process changed it in between.

        Raises:
            AccountError: with the text `missing`, where there is none.
        """
        while True:
            before = self.table.read(self.kind, name)
            if before is None:
                raise AccountError(missing)
            after = change(self.form.model_validate_json(before))
            if self.table.replace(self.kind, name, before, after.encoded()):
                return after

    def reseal(self, renew: Callable[[str, R], R]) -> Iterator[tuple[str, Resealed]]:
        """Seal the secrets of every record anew; others may change records meanwhile.

        Args:
            renew: a record, by its name, with its secrets under the first master key.

        Yields:
            Each record's name, and what became of it.
        """
        for name, record in self.all().items():
            try:
                renewed = renew(name, record) != record
                if renewed:
                    self.change(name, partial(renew, name), missing=f"{name} is gone")
            except AccountError:
                yield name, Resealed.UNREADABLE
            else:
                yield name, Resealed.DONE if renewed else Resealed.BEFORE


class Terms(Record):
    """What an account pays and may do; None stands for what the settings say."""

    price_credits: NonNegativeInt | None = None
    """Price of one picture."""
    submits_per_second: PositiveInt | None = None
    polls_per_second: PositiveInt | None = None
    queue_cap: PositiveInt | None = None
    """Pictures that may wait or run."""
    upload_cap: PositiveInt | None = None
    """Uploaded pictures that it may have at a time."""
    upload_bytes: PositiveInt | None = None
    """How long these may be together."""
    model: ModelName | None = None
    """What computes its pictures."""
    precision: Precision | None = None
    """How exactly they are computed."""

    @property
    def caps(self) -> AccountCaps:
        """How much it may hold."""
        return AccountCaps(queue=self.queue_cap, uploads=self.upload_cap, upload_bytes=self.upload_bytes)

    def choice(self, installation: ModelChoice) -> ModelChoice:
        """What computes its pictures. A model of its own is computed exactly unless its precision is set, too."""
        if self.model is None and self.precision is None:
            return installation
        if self.model is not None:
            return ModelChoice(model=self.model, precision=self.precision or Precision.EXACT)
        return ModelChoice(model=installation.model, precision=self.precision or installation.precision)


class AccountRecord(Record):
    """An account; its name is the record's."""

    created_at_seconds: float
    active: bool = True
    terms: Terms = Terms()
    callback_url: str | None = Field(default=None, repr=False)
    """Where the end of each of its tasks is told; it may hold a secret."""
    callback_secret: str | None = Field(default=None, repr=False)
    """What signs that, sealed."""


class SealedKey(Record):
    """One private key."""

    sealed: str
    """As `cutgate.gateway.accounts.seals` has it."""
    until_seconds: float | None = None
    """Unix time from which it counts no more; None where a rotation has set none."""

    def until(self, end_seconds: float) -> Self:
        """The key with an end; one that it has already and that is sooner stays."""
        if self.until_seconds is not None and self.until_seconds < end_seconds:
            return self
        return self.model_copy(update={"until_seconds": end_seconds})


class PairRecord(Record):
    """A key pair; its public key is the record's name."""

    account: str
    created_at_seconds: float
    active: bool = True
    private_keys: tuple[SealedKey, ...]
    """The newest last."""

    def live_keys(self, now_seconds: float) -> tuple[SealedKey, ...]:
        """The private keys that count at a time."""
        return tuple(
            key for key in self.private_keys if key.until_seconds is None or key.until_seconds > now_seconds
        )


class ApiKeyRecord(Record):
    """An API key; the hash of it is the record's name."""

    account: str
    prefix: str
    """The key's first characters, which tell it from others and open nothing."""
    created_at_seconds: float
    active: bool = True
