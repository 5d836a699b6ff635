"""Finds the account behind an API key, and keeps out addresses that try keys."""

from dataclasses import dataclass

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.api_keys import ApiKeys, hash_of
from cutgate.gateway.accounts.failures import AddressShutOut, ClientAddresses
from cutgate.jobs.observe import logs


class KeyRefused(Exception):
    """A caller shows no API key that counts."""


class KeyMissing(KeyRefused):
    """There is no API key, or none yet."""


class KeyUnknown(KeyRefused):
    """The API key is unknown or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Lets callers in."""

    api_keys: ApiKeys
    addresses: ClientAddresses

    def check_address(self, api_key: str | None, address: str | None) -> None:
        """Let a large body or a WebSocket pass, or not; a right key opens its address.

        Args:
            api_key: as a header has it; None where none does.
            address: of the client.

        Raises:
            AddressShutOut: too many wrong keys came from there.
            LedgerUnavailable: the accounts are away.
        """
        try:
            self.addresses.check(address)
        except AddressShutOut:
            if api_key is None or self.api_keys.find(api_key) is None:
                raise
            self.addresses.prove(address)

    def account_of(self, api_key: object, address: str | None, *, known: bool = False) -> Account:
        """The account that a key belongs to.

        Args:
            api_key: as it was sent; may be anything, or None.
            address: of the client; keys that are wrong count against it.
            known: whether memory will do, since the ledger is asked to confirm the account's `known_key`.

        Raises:
            KeyMissing: there is none.
            KeyUnknown: it is unknown or revoked.
            AddressShutOut: so it is, and too many keys from the address were wrong.
            LedgerUnavailable: the accounts are away.
        """
        if api_key is None or api_key == "":
            raise KeyMissing
        account = self._find(hash_of(api_key), known) if isinstance(api_key, str) else None
        if account is None:
            self.addresses.fail(address)
            raise KeyUnknown
        self.addresses.prove(address)
        logs.bind(account=account.name)
        return account

    def account_again(self, key_hash: str, *, known: bool = False) -> Account:
        """The account behind a key that was found right before, as it stands now.

        Args:
            key_hash: what `hash_of` gives.
            known: as `account_of` takes it.

        Raises:
            KeyUnknown: the key is revoked since, or the account is suspended.
            LedgerUnavailable: the accounts are away.
        """
        account = self._find(key_hash, known)
        if account is None:
            raise KeyUnknown
        return account

    def _find(self, key_hash: str, known: bool) -> Account | None:
        return self.api_keys.known(key_hash) if known else self.api_keys.find_hashed(key_hash)
