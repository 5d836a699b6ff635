"""Wrong keys and signatures, counted by client address, and the addresses that they shut out.

Failures are counted over all processes, by address and, where the public key exists, by that, too. What follows
from a full count is each process's own memory, so that whoever is shut out costs the ledger's server nothing. It
shuts out large bodies and new WebSockets alone: a right key in what is small always passes, and opens its address
for the rest.
"""

import time
from collections.abc import Callable
from typing import Final

from cutgate.gateway.accounts.rates import TooOften
from cutgate.gateway.accounts.recent import Recent
from cutgate.gateway.addresses import subscriber
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.ports import Ledger
from cutgate.jobs.record import RateUse

PROVEN_SECONDS: Final = 3_600.0
"""How long a right key counts for its address: one wrong client behind a proxy must not shut the others out."""


class AddressShutOut(TooOften):
    """Too many wrong or unknown keys came from the address."""

    def __init__(self, frees_in_seconds: float) -> None:
        super().__init__("too many wrong signatures or unknown keys came from your address", frees_in_seconds)


class ClientAddresses:
    """Counts wrong keys and signatures of client addresses."""

    def __init__(
        self, store: Ledger, settings: GatewaySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Use a storage.

        Args:
            store: where failures are counted.
            settings: how many are let pass.
            clock: seconds that only grow.
        """
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
        client, now_seconds = subscriber(address), self._clock()
        left_seconds = (self._shut_out.get(client) or now_seconds) - now_seconds
        if left_seconds > 0 and (self._proven.get(client) or now_seconds) <= now_seconds:
            raise AddressShutOut(left_seconds)

    def prove(self, address: str | None) -> None:
        """Note that a right key came from an address."""
        self._proven.set(subscriber(address), self._clock() + PROVEN_SECONDS)

    def fail(self, address: str | None, public_key: str | None = None) -> None:
        """Count a failure.

        Args:
            address: of the client.
            public_key: whose signature was wrong; None where no such key exists.

        Raises:
            AddressShutOut: there were too many before.
            LedgerUnavailable: the storage is away.
        """
        client = subscriber(address)
        now_seconds = self._clock()
        left_seconds = (self._shut_out.get(client) or now_seconds) - now_seconds
        if left_seconds > 0:
            raise AddressShutOut(left_seconds)
        counted_as = client if public_key is None else f"{client} {public_key}"
        use = RateUse(name=f"failure:{counted_as}", limit=self._failures_per_minute, seconds=60)
        allowance = self._store.accounts.take_rate(use)
        if not allowance.granted:
            self._shut_out.set(client, self._clock() + allowance.frees_in_seconds)
            raise AddressShutOut(allowance.frees_in_seconds)
