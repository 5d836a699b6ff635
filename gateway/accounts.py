"""Accounts and their key pairs. Private keys lie encrypted, since a signature's check needs them as text.

A key pair may have several live private keys, so that one can be replaced without a moment in which neither
counts; an account may have several key pairs.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PUBLIC_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class AccountError(Exception):
    """A key pair cannot be added, or its record not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A new key pair, as it is shown once."""

    account: str
    public_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a public key belongs to, and what signs for it."""

    name: str
    public_key: str
    private_keys: tuple[str, ...] = field(repr=False)
    """Every private key that counts now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key pair as operators see it in a list."""

    account: str
    public_key: str
    private_key_count: int


class KeyTable(Protocol):
    """Records of key pairs under their public keys. Every method raises `LedgerUnavailable` when it is away."""

    def read(self, public_key: str) -> str | None:
        """The record, or None."""

    def add(self, public_key: str, record: str) -> bool:
        """Write a record where there is none; False where there is one."""

    def all(self) -> dict[str, str]:
        """Every record."""


class _Record(BaseModel):
    """A key pair as it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str
    private_keys: tuple[str, ...]
    """Base64 of nonce and AES-GCM ciphertext, each."""


class Accounts:
    """Adds, lists and finds key pairs."""

    def __init__(self, table: KeyTable, master_key: bytes) -> None:
        """Derive the key that private keys are encrypted with.

        Args:
            table: where records lie.
            master_key: the installation's 32 bytes; the derived key serves nothing else.
        """
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"keycut private keys v1").derive(master_key)
        self._cipher = AESGCM(derived)
        self._table = table

    def add(self, name: str, *, public_key: str | None = None, private_key: str | None = None) -> Credentials:
        """Add a key pair to an account, which begins to exist with its first.

        Args:
            name: the account.
            public_key: a key that clients use already; made when absent.
            private_key: its private key; made when absent.

        Raises:
            AccountError: a name or key has a form that is not allowed, or the public key is taken.
        """
        public_key = public_key or secrets.token_urlsafe(_KEY_BYTES)
        private_key = private_key or secrets.token_urlsafe(_KEY_BYTES)
        if not _NAME.fullmatch(name):
            raise AccountError("an account's name is 1 to 64 letters, digits and . _ @ -")
        if not _PUBLIC_KEY.fullmatch(public_key):
            raise AccountError("a public key is 1 to 128 printable ASCII characters")
        record = _Record(account=name, private_keys=(self._seal(public_key, private_key),))
        if not self._table.add(public_key, record.model_dump_json()):
            raise AccountError("the public key is taken")
        return Credentials(account=name, public_key=public_key, private_key=private_key)

    def find(self, public_key: str) -> Account | None:
        """Who the public key belongs to; None when it is not registered.

        Raises:
            AccountError: the record was written under another master key, or altered.
            LedgerUnavailable: the table is away.
        """
        if not _PUBLIC_KEY.fullmatch(public_key):
            return None
        raw = self._table.read(public_key)
        if raw is None:
            return None
        record = _Record.model_validate_json(raw)
        keys = tuple(self._open(public_key, sealed) for sealed in record.private_keys)
        return Account(name=record.account, public_key=public_key, private_keys=keys)

    def list(self) -> tuple[KeyPair, ...]:
        """Every key pair, by account and public key, without the private keys."""
        pairs = (
            KeyPair(account=record.account, public_key=public_key, private_key_count=len(record.private_keys))
            for public_key, record in (
                (key, _Record.model_validate_json(raw)) for key, raw in self._table.all().items()
            )
        )
        return tuple(sorted(pairs, key=lambda pair: (pair.account, pair.public_key)))

    def _seal(self, public_key: str, private_key: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, private_key.encode(), public_key.encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def _open(self, public_key: str, sealed: str) -> str:
        raw = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], public_key.encode()).decode()
        except InvalidTag:
            raise AccountError("a stored private key cannot be read with this master key") from None

    def __repr__(self) -> str:
        return "Accounts(<key>)"
