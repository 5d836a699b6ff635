"""What a caller installs: a client for the service and the command `keycut`.

from keycut import Client

with Client("http://127.0.0.1:8080", public_key, private_key) as client:
    client.remove_background("cat.jpg").save("cat.png")
"""

from __future__ import annotations

from keycut.async_client import AsyncClient, AsyncJob
from keycut.batch import Outcome, Progress, Report
from keycut.client import Client, Job
from keycut.connection import Retries
from keycut.errors import (
    ConversionFailed,
    JobFailed,
    JobTimeout,
    KeycutError,
    LocalError,
    NameTaken,
    ServiceError,
    TransportError,
)
from keycut.protocol import Balance, JobStatus, Settings

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Balance",
    "Client",
    "ConversionFailed",
    "Job",
    "JobFailed",
    "JobStatus",
    "JobTimeout",
    "KeycutError",
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
