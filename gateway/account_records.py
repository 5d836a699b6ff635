"""Accounts and key pairs as they are stored, and the encryption of private keys."""

from __future__ import annotations

import base64
import secrets
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from jobs.spec import Precision

_NONCE_BYTES: Final = 12


class AccountError(Exception):
    """An account or key pair cannot be added or changed, or its record not be read."""


class Record(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Terms(Record):
    """What an account pays and may do; None stands for what the settings say."""

    price_credits: NonNegativeInt | None = None
    """Price of one picture."""
    submits_per_second: PositiveInt | None = None
    polls_per_second: PositiveInt | None = None
    queue_cap: PositiveInt | None = None
    """Pictures that may wait or run."""
    precision: Precision | None = None
    """How exactly its pictures are computed; they wait until a worker offers that."""


class AccountRecord(Record):
    """An account; its name is the record's."""

    created_at_seconds: float
    active: bool = True
    terms: Terms = Terms()


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


class PrivateKeySeal:
    """Encrypts private keys, each bound to its public key."""

    def __init__(self, master_key: bytes) -> None:
        """Derive the key that encrypts; it serves nothing else.

        Args:
            master_key: the installation's 32 bytes.
        """
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"keycut private keys v1").derive(master_key)
        self._cipher = AESGCM(derived)

    def close(self, public_key: str, private_key: str) -> str:
        """Encrypt a private key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, private_key.encode(), public_key.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, public_key: str, sealed: str) -> str:
        """The inverse of `close`.

        Raises:
            AccountError: it was encrypted for another public key or under another master key, or altered.
        """
        raw = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], public_key.encode()).decode()
        except InvalidTag:
            raise AccountError("a stored private key cannot be read with this master key") from None
