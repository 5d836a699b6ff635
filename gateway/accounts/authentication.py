"""Finds the credential behind an API key, and keeps out addresses that wrong keys and signatures come from.

Failures are counted over all processes, by address and, where the public key exists, by that, too. What follows
from a full count is each process's own memory, so that whoever is shut out costs the ledger's server nothing. It
shuts out large bodies and new WebSockets alone: a right key in what is small always passes, and opens its address
for the rest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cutgate.gateway.accounts.credentials import Credential, Credentials, stored_name
from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.accounts.recent import Recent
from cutgate.gateway.addresses import subscriber
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.observe import logs
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import RateUse

PROVEN_SECONDS: Final = 3_600.0
"""How long a right key counts for its address: one wrong client behind a proxy must not shut the others out."""


class KeyRefused(Exception):
    """A caller shows no API key that counts."""


class KeyMissing(KeyRefused):
    """There is no API key, or none yet."""


class KeyUnknown(KeyRefused):
    """The API key is unknown or revoked."""


class AddressShutOut(TooOften):
    """Too many wrong or unknown keys came from the address."""

    def __init__(self, frees_in_seconds: float) -> None:
        super().__init__("too many wrong signatures or unknown keys came from your address", frees_in_seconds)


class ClientAddresses:
    """Counts wrong keys and signatures of client addresses."""

    def __init__(
        self, store: Ledger, settings: GatewaySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count failures in the ledger; the clock gives seconds that only grow."""
        self._store = store
        self._failures_per_minute = settings.failed_signatures_per_minute
        self._clock = clock
        # Until when it is so, of each address.
        self._shut_out = Recent[float]()
        self._proven = Recent[float]()

    def check(self, address: str | None) -> None:
        """Let what is large pass, or not. It asks no other part.

        Raises:
            AddressShutOut: too many failures came from the address, and no right key.
        """
        client = subscriber(address)
        left_seconds = self._left_seconds(self._shut_out, client)
        if left_seconds > 0 and self._left_seconds(self._proven, client) <= 0:
            raise AddressShutOut(left_seconds)

    def prove(self, address: str | None) -> None:
        """Note that a right key came from an address."""
        self._proven.set(subscriber(address), self._clock() + PROVEN_SECONDS)

    def fail(self, address: str | None, public_key: str | None = None) -> None:
        """Count a failure: a wrong signature of a public key, or a key that does not exist.

        Raises:
            AddressShutOut: there were too many before.
            LedgerUnavailable: the ledger is away.
        """
        client = subscriber(address)
        left_seconds = self._left_seconds(self._shut_out, client)
        if left_seconds > 0:
            raise AddressShutOut(left_seconds)
        counted_as = client if public_key is None else f"{client} {public_key}"
        allowance = self._store.accounts.take_rate(
            RateUse(name=f"failure:{counted_as}", limit=self._failures_per_minute, seconds=60)
        )
        if not allowance.granted:
            self._shut_out.set(client, self._clock() + allowance.frees_in_seconds)
            raise AddressShutOut(allowance.frees_in_seconds)

    def _left_seconds(self, until_seconds: Recent[float], client: str) -> float:
        return (until_seconds.get(client) or 0.0) - self._clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """Checks API keys, as they were sent, of clients at an address."""

    credentials: Credentials
    addresses: ClientAddresses

    def check_address(self, api_key: str | None, address: str | None) -> None:
        """Let a large body or a WebSocket pass, or not; a right key in a header opens its address.

        Raises:
            AddressShutOut: too many wrong keys came from there.
            LedgerUnavailable: the ledger is away.
        """
        try:
            self.addresses.check(address)
        except AddressShutOut:
            if api_key is None or self.credentials.find_api_key(stored_name(api_key)) is None:
                raise
            self.addresses.prove(address)

    def credential_of(self, api_key: object, address: str | None, *, known: bool = False) -> Credential:
        """The credential that a key is, which may be anything; found as by `Credentials.find_api_key`.

        Raises:
            KeyMissing: there is none.
            KeyUnknown: it is unknown or revoked.
            AddressShutOut: so it is, and too many keys from the address were wrong.
            LedgerUnavailable: the ledger is away.
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
