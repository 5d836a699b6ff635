"""What a caller installs: a client for the service and the command `keycut`.

from keycut import Client

with Client("http://127.0.0.1:8080", public_key, private_key) as client:
    client.remove_background("cat.jpg").save("cat.png")
"""

from __future__ import annotations

from keycut.client import Client, Job, JobStatus
from keycut.connection import Retries
from keycut.errors import JobFailed, JobTimeout, KeycutError, LocalError, ServiceError, TransportError

__all__ = [
    "Client",
    "Job",
    "JobFailed",
    "JobStatus",
    "JobTimeout",
    "KeycutError",
    "LocalError",
    "Retries",
    "ServiceError",
    "TransportError",
]
