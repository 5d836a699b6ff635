"""Encryption of the secrets of accounts, with keys derived from the master keys.

A sealed secret is `<key id>.<Base64 of nonce and AES-GCM ciphertext>`. The id names the master key without telling
anything of it.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cutgate.gateway.accounts.records import AccountError

_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 6


class Seal:
    """Encrypts secrets of one purpose, each bound to the name that it belongs to."""

    def __init__(self, master_keys: Sequence[bytes], purpose: str) -> None:
        """Derive keys that encrypt for this purpose alone: the first master key seals, all of them open."""
        info = f"cutgate {purpose} v1".encode()
        self._ciphers = {
            _key_id(key): AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key))
            for key in master_keys
        }
        self._newest = _key_id(master_keys[0])

    def close(self, name: str, secret: str) -> str:
        """Encrypt a secret."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), name.encode())
        return f"{self._newest}.{base64.b64encode(nonce + sealed).decode('ascii')}"

    def open(self, name: str, sealed: str) -> str:
        """The inverse of `close`; `AccountError` where name or master key is another, or it was altered."""
        key_id, _, text = sealed.rpartition(".")
        raw = base64.b64decode(text)
        try:
            return self._ciphers[key_id].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode()).decode()
        except (KeyError, InvalidTag):
            raise AccountError("a stored secret cannot be read with this master key") from None

    def renewed(self, name: str, sealed: str) -> str:
        """Seal a secret anew under the first master key; returns the text as it is if that key sealed it."""
        return sealed if sealed.startswith(f"{self._newest}.") else self.close(name, self.open(name, sealed))


def _key_id(master_key: bytes) -> str:
    return hmac.digest(master_key, b"cutgate key id v1", hashlib.sha256)[:_ID_BYTES].hex()
