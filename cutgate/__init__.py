"""Background removal on your own machines: a client for the service, and the command `cutgate`.

from cutgate import Client

with Client() as client:
    client.remove_background("cat.jpg").save("cat.png")

The service's parts lie here too, as `cutgate.gateway`, `cutgate.worker` and so on; importing one of them loads
none of the client, whose names are looked up when they are asked for (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cutgate.batches.batch import Outcome, Progress, Report
    from cutgate.client.async_client import AsyncClient, AsyncJob
    from cutgate.client.client import Client, Job
    from cutgate.errors import (
        ConversionFailed,
        CutgateError,
        JobFailed,
        JobTimeout,
        KeyPairMissing,
        LocalError,
        NameTaken,
        ServiceError,
        ServiceNotNamed,
        TransportError,
    )
    from cutgate.protocol.connection import Retries
    from cutgate.protocol.picpik import Balance, JobStatus, Settings

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Balance",
    "Client",
    "ConversionFailed",
    "CutgateError",
    "Job",
    "JobFailed",
    "JobStatus",
    "JobTimeout",
    "KeyPairMissing",
    "LocalError",
    "NameTaken",
    "Outcome",
    "Progress",
    "Report",
    "Retries",
    "ServiceError",
    "ServiceNotNamed",
    "Settings",
    "TransportError",
]

_MODULES: Final = {
    **dict.fromkeys(("Outcome", "Progress", "Report"), "batches.batch"),
    **dict.fromkeys(("AsyncClient", "AsyncJob"), "client.async_client"),
    **dict.fromkeys(("Client", "Job"), "client.client"),
    "Retries": "protocol.connection",
    **dict.fromkeys(("Balance", "JobStatus", "Settings"), "protocol.picpik"),
}
"""Modules of the public names; that of any other is `errors`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
