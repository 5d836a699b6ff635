"""The ledger in Redis or Valkey. `cutgate.jobs.ledger.keys` lists the keys."""

from collections.abc import Callable

from redis import Redis

from cutgate.jobs.answers import LaneFigures, LedgerFigures
from cutgate.jobs.ledger.accounts import Accounts
from cutgate.jobs.ledger.claims import Claims, Presence
from cutgate.jobs.ledger.database import Database, no_offset
from cutgate.jobs.ledger.errands import Errands
from cutgate.jobs.ledger.keys import KEY_PREFIX
from cutgate.jobs.ledger.server import Server
from cutgate.jobs.ledger.tasks import Tasks
from cutgate.jobs.ledger.upkeep import Upkeep
from cutgate.jobs.ledger.uploads import Uploads
from cutgate.jobs.limits import LedgerLimits
from cutgate.jobs.spec import Lane


class Ledger:
    """The ledger: the one truth about tasks, items and claims.

    Every move is one Lua script, atomic, on the server's clock, and may run twice: a client that lost the reply
    sends the call again and gets the first answer. Every method raises `LedgerUnavailable` when the server does
    not answer in time.
    """

    def __init__(
        self,
        client: Redis,
        limits: LedgerLimits,
        *,
        key_prefix: str = KEY_PREFIX,
        clock_offset_ms: Callable[[], int] = no_offset,
    ) -> None:
        """Use a server.

        Args:
            client: from `connect`.
            limits: what the moves keep to; the same in every process.
            key_prefix: of every key; its hash tag keeps them in one slot of a cluster.
            clock_offset_ms: added to the server's clock; 0 outside tests.
        """
        self.database = Database(client, limits, key_prefix, clock_offset_ms)
        self.tasks = Tasks(self.database)
        self.claims = Claims(self.database)
        self.errands = Errands(self.database)
        self.uploads = Uploads(self.database)
        self.accounts = Accounts(self.database)
        self.presence = Presence(self.database)
        self.upkeep = Upkeep(self.database)
        self.server = Server(self.database)

    def figures(self) -> LedgerFigures:
        """Count what waits, runs and is booked, looking at all that run and one of each account that waits."""
        booked, done, overdue, lanes = self.database.run("figures", **self.database.retentions())
        return LedgerFigures(
            lanes=tuple(
                LaneFigures(lane=Lane(lane), waiting=waiting, oldest_seconds=age_ms / 1_000, running=running)
                for lane, waiting, age_ms, running in lanes
            ),
            booked=booked,
            done=done,
            overdue=overdue,
        )
