"""Forms of the stored records: accounts and their credentials."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from cutgate.jobs.record import AccountCaps
from cutgate.jobs.spec import ModelChoice, ModelName, Precision


class AccountError(Exception):
    """An account or one of its keys cannot be added or changed, or its record not be read."""


class Record(BaseModel):
    """What all records have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def encoded(self) -> str:
        """The record as it is stored."""
        return self.model_dump_json(exclude_none=True)


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

    def counts(self, now_seconds: float) -> bool:
        """Whether it counts at a time."""
        return self.until_seconds is None or self.until_seconds > now_seconds

    def until(self, end_seconds: float) -> Self:
        """The key with an end; one that it has already and that is sooner stays."""
        if self.until_seconds is not None and self.until_seconds < end_seconds:
            return self
        return self.model_copy(update={"until_seconds": end_seconds})


class CredentialRecord(Record):
    """A key pair, stored under its public key, or an API key, stored under its hash."""

    account: str
    created_at_seconds: float
    active: bool = True
    prefix: str | None = None
    """The first characters of an API key, which tell it from others and open nothing; None for a pair."""
    private_keys: tuple[SealedKey, ...] = ()
    """Of a pair, the newest last."""

    @property
    def is_pair(self) -> bool:
        """Whether it is a key pair."""
        return self.prefix is None

    def live_keys(self, now_seconds: float) -> tuple[SealedKey, ...]:
        """The private keys that count at a time."""
        return tuple(key for key in self.private_keys if key.counts(now_seconds))
