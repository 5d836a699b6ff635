"""Finds the credential behind an API key, and keeps out addresses that try keys."""

from dataclasses import dataclass

from cutgate.gateway.accounts.credentials import Credential, Credentials, stored_name
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
    """Checks API keys."""

    credentials: Credentials
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
            if api_key is None or self.credentials.find_api_key(stored_name(api_key)) is None:
                raise
            self.addresses.prove(address)

    def credential_of(self, api_key: object, address: str | None, *, known: bool = False) -> Credential:
        """The credential that a key is.

        Args:
            api_key: as it was sent; may be anything, or None.
            address: of the client; keys that are wrong count against it.
            known: as `Credentials.find_pair` takes it.

        Raises:
            KeyMissing: there is none.
            KeyUnknown: it is unknown or revoked.
            AddressShutOut: so it is, and too many keys from the address were wrong.
            LedgerUnavailable: the accounts are away.
        """
        if api_key is None or api_key == "":
            raise KeyMissing
        found = None
        if isinstance(api_key, str):
            found = self.credentials.find_api_key(stored_name(api_key), known=known)
        if found is None:
            self.addresses.fail(address)
            raise KeyUnknown
        self.addresses.prove(address)
        logs.bind(account=found.account.name)
        return found

    def credential_again(self, name: str, *, known: bool = False) -> Credential:
        """A credential that was found before, as it stands now.

        Args:
            name: of the credential.
            known: as `Credentials.find_pair` takes it.

        Raises:
            KeyUnknown: the key is revoked since, or the account is suspended.
            LedgerUnavailable: the accounts are away.
        """
        found = self.credentials.find_api_key(name, known=known)
        if found is None:
            raise KeyUnknown
        return found
