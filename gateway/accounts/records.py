"""Accounts, key pairs and API keys as they are stored: forms, changes, and the encryption of their secrets."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.presets import Choice
from cutgate.jobs.record import AccountCaps
from cutgate.jobs.spec import ModelName, Precision

_NONCE_BYTES: Final = 12


class AccountError(Exception):
    """An account or one of its keys cannot be added or changed, or its record not be read."""


class Record(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def encoded(self) -> str:
        """The record as it is stored: one that sets no new field is read by versions that do not know it."""
        return self.model_dump_json(exclude_none=True)


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

    def choice(self, installation: Choice) -> Choice:
        """What computes its pictures. A model of its own is computed exactly unless its precision is set, too."""
        if self.model is not None:
            return Choice(model=self.model, precision=self.precision or Precision.EXACT)
        return Choice(model=installation.model, precision=self.precision or installation.precision)


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
    """Base64 of nonce and AES-GCM ciphertext."""
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


class Seal:
    """Encrypts secrets of one purpose, each bound to the name that it belongs to."""

    def __init__(self, master_key: bytes, purpose: str) -> None:
        """Derive the key that encrypts; it serves nothing else.

        Args:
            master_key: the installation's 32 bytes.
            purpose: what is encrypted, such as `private keys`; part of the derivation.
        """
        info = f"cutgate {purpose} v1".encode()
        self._cipher = AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(master_key))

    def close(self, name: str, secret: str) -> str:
        """Encrypt a secret."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), name.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, name: str, sealed: str) -> str:
        """The inverse of `close`.

        Raises:
            AccountError: it was encrypted for another name or under another master key, or altered.
        """
        raw = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode()).decode()
        except InvalidTag:
            raise AccountError("a stored secret cannot be read with this master key") from None
