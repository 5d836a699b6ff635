"""Background removal on your own machines: a client for the service, and the command `cutgate`.

from cutgate import Client

with Client("http://127.0.0.1:8080", public_key, private_key) as client:
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
        LocalError,
        NameTaken,
        ServiceError,
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
    "LocalError",
    "NameTaken",
    "Outcome",
    "Progress",
    "Report",
    "Retries",
    "ServiceError",
    "Settings",
    "TransportError",
]

_MODULES: Final = (
    "cutgate.batches.batch",
    "cutgate.client.async_client",
    "cutgate.client.client",
    "cutgate.errors",
    "cutgate.protocol.connection",
    "cutgate.protocol.picpik",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
