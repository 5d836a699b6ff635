"""Background removal on your own machines: in this process, by a client for the service, and as a command.

from cutgate import remove_background

remove_background("cat.jpg").save("cat.png")

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
        CutoutFailed,
        JobFailed,
        JobTimeout,
        KeyPairMissing,
        LocalError,
        NameTaken,
        PictureEmpty,
        ResultChanged,
        ServiceError,
        ServiceNotNamed,
        TransportError,
        WrongSuffix,
    )
    from cutgate.in_process.cutout import Cutout
    from cutgate.in_process.options import CutoutOptions
    from cutgate.in_process.remover import Remover, remove_background
    from cutgate.protocol.connection import Retries
    from cutgate.protocol.picpik import Balance, JobStatus, RefineOptions, RenderOptions, Settings

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Balance",
    "Client",
    "ConversionFailed",
    "CutgateError",
    "Cutout",
    "CutoutFailed",
    "CutoutOptions",
    "Job",
    "JobFailed",
    "JobStatus",
    "JobTimeout",
    "KeyPairMissing",
    "LocalError",
    "NameTaken",
    "Outcome",
    "PictureEmpty",
    "Progress",
    "RefineOptions",
    "Remover",
    "RenderOptions",
    "Report",
    "ResultChanged",
    "Retries",
    "ServiceError",
    "ServiceNotNamed",
    "Settings",
    "TransportError",
    "WrongSuffix",
    "remove_background",
]

_MODULES: Final = {
    **dict.fromkeys(("Outcome", "Progress", "Report"), "batches.batch"),
    **dict.fromkeys(("AsyncClient", "AsyncJob"), "client.async_client"),
    **dict.fromkeys(("Client", "Job"), "client.client"),
    "Cutout": "in_process.cutout",
    "CutoutOptions": "in_process.options",
    **dict.fromkeys(("Remover", "remove_background"), "in_process.remover"),
    "Retries": "protocol.connection",
    **dict.fromkeys(("Balance", "JobStatus", "RefineOptions", "RenderOptions", "Settings"), "protocol.picpik"),
}
"""Modules of the public names; that of any other is `errors`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
