"""Hints as Celery messages over Redis, and the Celery settings that gateway and worker share."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from typing_extensions import override

from cutgate.jobs.errors import LedgerUnavailable
from cutgate.jobs.hints.queue import TASK_NAME, JobQueue, queue_name
from cutgate.jobs.ledger.redis.client import connect, ledger_errors, sentinel_options
from cutgate.jobs.sentinels import Sentinels, is_sentinel_url
from cutgate.jobs.spec import Lane

HINT_TIMEOUT_SECONDS: Final = 0.7
"""For each thing that a hint waits for: a free connection, connecting, an answer."""
CONNECT_TIMEOUT_SECONDS: Final = 2.0
SOCKET_TIMEOUT_SECONDS: Final = 10.0
"""A worker's: longer than it waits for a message in one call."""
PUBLISHER_CONNECTIONS: Final = 32
VISIBILITY_TIMEOUT_SECONDS: Final = 3_600
"""After so long Redis hands an unacknowledged message out again. The lease does the fast part."""


def celery_settings(
    redis_url: str,
    *,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    socket_timeout_seconds: float = SOCKET_TIMEOUT_SECONDS,
) -> dict[str, Any]:
    """Settings of the Celery app, the same on both sides.

    Args:
        redis_url: as for `cutgate.jobs.ledger.redis.client.connect`.
        connect_timeout_seconds: for one attempt to connect.
        socket_timeout_seconds: for one reply.
    """
    to_sentinels: dict[str, Any] = {}
    # Of rediss:// the URL says it itself.
    tls: dict[str, Any] = {}
    if is_sentinel_url(redis_url):
        sentinels = Sentinels.parse(redis_url)
        if sentinels.tls is not None:
            tls["broker_use_ssl"] = dict(sentinels.tls)
        to_sentinels["master_name"] = sentinels.service
        to_sentinels["sentinel_kwargs"] = sentinel_options(
            sentinels,
            connect_timeout_seconds=connect_timeout_seconds,
            socket_timeout_seconds=socket_timeout_seconds,
        )
    return {
        "broker_url": broker_url(redis_url),
        **tls,
        # States live in the ledger: no result backend, no second truth.
        "task_ignore_result": True,
        # A message that is lost with its worker is handed out again; what is done twice is claimed once.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure_or_timeout": True,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # What a server refuses for the moment, too: a master without its copies, one whose disk is full.
        "broker_channel_error_retry": True,
        # True would leave the message unacknowledged until the visibility timeout.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": False,
        # Nobody who can write to the broker gives workers orders, or has them unpack anything but JSON.
        "worker_enable_remote_control": False,
        "accept_content": ["json"],
        "broker_pool_limit": 10,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # One list a lane: the ledger has the order, and the list's length is the number of hints.
            "priority_steps": [0],
            "socket_connect_timeout": connect_timeout_seconds,
            "socket_timeout": socket_timeout_seconds,
            "socket_keepalive": True,
            "health_check_interval": 10,
            **to_sentinels,
        },
    }


def broker_url(redis_url: str) -> str:
    """A Redis URL as Celery reads it.

    `unix:///path?db=1` is `redis+socket:///path?virtual_host=1` there, and each sentinel has a URL of its own. It
    checks no certificate of `rediss://` unless told to; the ledger's client does unless told not to.
    """
    if is_sentinel_url(redis_url):
        return Sentinels.parse(redis_url).broker_url()
    parts = urlsplit(redis_url)
    options = parse_qs(parts.query)
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in options:
        return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, "ssl_cert_reqs=required"]))))
    if parts.scheme != "unix":
        return redis_url
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={options.get('db', ['0'])[0]}"


class CeleryQueue(JobQueue):
    """Sends hints by the task's name. It holds no worker code and imports none."""

    def __init__(self, redis_url: str) -> None:
        """Prepare the sender; it connects at the first hint."""
        # A submit never hangs on its hint: a hint that is lost is sent again by the reaper.
        settings = celery_settings(
            redis_url,
            connect_timeout_seconds=HINT_TIMEOUT_SECONDS,
            socket_timeout_seconds=HINT_TIMEOUT_SECONDS,
        )
        settings["broker_pool_limit"] = PUBLISHER_CONNECTIONS
        self._client = connect(
            redis_url,
            connect_timeout_seconds=HINT_TIMEOUT_SECONDS,
            socket_timeout_seconds=HINT_TIMEOUT_SECONDS,
        )
        self._app = Celery("cutgate", set_as_current=False, config_source=settings)

    @override
    def hint(self, lane: Lane) -> None:
        try:
            with self._app.producer_pool.acquire(block=True, timeout=HINT_TIMEOUT_SECONDS) as producer:
                self._app.send_task(
                    TASK_NAME,
                    args=[lane],
                    queue=queue_name(lane),
                    ignore_result=True,
                    producer=producer,
                    retry_policy={"max_retries": 1, "interval_start": 0},
                )
        except (KombuError, RedisError, OSError) as error:
            raise LedgerUnavailable(f"the broker does not take a hint: {type(error).__name__}") from error

    @override
    def pending(self, lane: Lane) -> int:
        # With one priority step a queue is one list, under the queue's own name.
        with ledger_errors():
            return self._client.llen(queue_name(lane))

    @override
    def trim(self, lane: Lane, count: int) -> None:
        with ledger_errors():
            if count:
                self._client.ltrim(queue_name(lane), 0, count - 1)
            else:
                self._client.delete(queue_name(lane))
