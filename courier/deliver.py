"""Callbacks and uploads: tells a caller's server how a task ended, or brings it the result.

A callback is a POST of the body that the task's façade renders, in the form of Standard Webhooks: its id is that
of the task, the same in every try, so that a receiver knows a repeat; it is signed where the account has a secret.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from standardwebhooks import Webhook

from cutgate.courier.connection import Deadline, Outside
from cutgate.courier.errors import PeerFailed
from cutgate.jobs.errors import BlobMissing
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import Errand, ErrandKind, Task

Renderer = Callable[[Task], bytes]
"""What a façade says of a task that has ended: JSON in UTF-8, the same in every try."""
SecretOf = Callable[[str], str | None]
"""The secret that an account's callbacks are signed with, as `whsec_` and Base64; None where it has none."""

_PART_BYTES: Final = 2**16
log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Makes deliveries of tasks that have ended."""

    outside: Outside
    store: Ledger
    blobs: BlobStore
    renderers: Mapping[str, Renderer]
    """By the tasks' origin."""
    total_seconds: float
    secret_of: SecretOf = field(repr=False)

    def deliver(self, errand: Errand) -> bool:
        """Make one try; False if there is nothing to deliver, and `ExchangeFailed` if it was not confirmed."""
        task = self.store.tasks.get(errand.task, errand.account)
        if task is None:
            log.info("delivery_without_task")
            return False
        return self._call_back(errand, task) if errand.kind is ErrandKind.CALLBACK else self._upload(errand, task)

    def _call_back(self, errand: Errand, task: Task) -> bool:
        render = self.renderers.get(task.origin)
        if render is None:
            log.error("callback_without_renderer", origin=task.origin)
            return False
        body = render(task)
        secret = self.secret_of(errand.account)
        headers = webhook_headers(_message_id(task), body, secret, datetime.now(UTC))
        self._send("POST", errand.url, headers | {"Content-Type": "application/json"}, body)
        return True

    def _upload(self, errand: Errand, task: Task) -> bool:
        result = task.items[errand.index].result
        try:
            file = None if result is None else self.blobs.open(result.blob)
        except BlobMissing:
            file = None
        if result is None or file is None:
            log.info("upload_without_result")
            return False
        with file:
            headers = {"Content-Type": result.media_type, "Content-Length": str(result.size_bytes)}
            self._send("PUT", errand.url, headers, iter(partial(file.read, _PART_BYTES), b""))
        return True

    def _send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | Iterator[bytes]) -> None:
        deadline = Deadline(self.total_seconds)
        with self.outside.exchange(method, url, deadline, headers=headers, content=content) as answer:
            if not answer.is_success:
                # Any other may pass: a receiver that is being moved redirects, or knows no path for a while.
                raise PeerFailed("status", f"the server answers HTTP {answer.status_code}")


def _message_id(task: Task) -> str:
    """Webhook id of a task's end, unchanged by repeated tries; a retried task ends once more, under another id."""
    return f"{task.uid}-{task.retries}" if task.retries else task.uid


def webhook_headers(message_id: str, body: bytes, secret: str | None, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks, for one try; without a secret there is no signature."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    if secret is not None:
        headers["webhook-signature"] = Webhook(secret).sign(message_id, now, body.decode())
    return headers
