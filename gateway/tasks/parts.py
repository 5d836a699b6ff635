"""What every façade works with: the parts of the gateway below the protocols."""

from dataclasses import dataclass
from typing import Self

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.authentication import Authenticator, ClientAddresses
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.rates import RequestLimits
from cutgate.gateway.bodies import Bodies
from cutgate.gateway.pictures.kept import Pictures
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.sockets.hub import Sockets
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.gateway.waiting.callers import WaitingCallers
from cutgate.gateway.waiting.ends import TaskEnds
from cutgate.jobs.ports import BlobStore, Ledger, Presence, TaskEvents
from cutgate.jobs.urls import ResultPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One of each; threads share them."""

    settings: GatewaySettings
    store: Ledger
    presence: Presence
    blobs: BlobStore
    authenticator: Authenticator
    limits: RequestLimits
    bodies: Bodies
    submissions: Submissions
    tasks: Tasks
    pictures: Pictures
    sockets: Sockets
    ends: TaskEnds
    waiting: WaitingCallers

    @classmethod
    def of(
        cls,
        settings: GatewaySettings,
        *,
        accounts: Accounts,
        store: Ledger,
        events: TaskEvents,
        presence: Presence,
        blobs: BlobStore,
    ) -> Self:
        """Make them on a ledger and a blob store."""
        paths, limits = ResultPaths(settings.master_keys()), settings.source_limits()
        tasks = Tasks(store=store, paths=paths, retention_seconds=settings.retention_seconds)
        sockets = Sockets(settings)
        ends = TaskEnds(lambda account, uids: sockets.in_thread(tasks.find_ended, account, uids), events)
        credentials = Credentials(accounts, store.server.require_known)
        return cls(
            settings=settings,
            store=store,
            presence=presence,
            blobs=blobs,
            authenticator=Authenticator(credentials=credentials, addresses=ClientAddresses(store, settings)),
            limits=RequestLimits(store, settings),
            bodies=Bodies(settings.large_bodies_bytes),
            submissions=Submissions(
                store=store,
                blobs=blobs,
                limits=limits,
                price=settings.image_price_credits,
                offers=Offers(
                    presence=presence, own=settings.choice, memory_seconds=settings.offer_memory_seconds
                ),
            ),
            tasks=tasks,
            pictures=Pictures(
                store=store,
                blobs=blobs,
                paths=paths,
                limits=limits,
                retention_seconds=settings.upload_retention_seconds,
            ),
            sockets=sockets,
            ends=ends,
            waiting=WaitingCallers(ends, store, sockets.in_thread, settings),
        )
