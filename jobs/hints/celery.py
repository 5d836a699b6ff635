"""Celery settings of workers, which take hints from their queues."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from cutgate.jobs.redis_client import sentinel_options
from cutgate.jobs.sentinels import Sentinels, is_sentinel_url

CONNECT_TIMEOUT_SECONDS: Final = 2.0
SOCKET_TIMEOUT_SECONDS: Final = 10.0
"""A worker's: longer than it waits for a message in one call."""
VISIBILITY_TIMEOUT_SECONDS: Final = 3_600
"""After so long Redis hands an unacknowledged message out again. The lease does the fast part."""


def celery_settings(redis_url: str) -> dict[str, Any]:
    """Settings of the Celery application."""
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
            connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
            socket_timeout_seconds=SOCKET_TIMEOUT_SECONDS,
        )
    return {
        "broker_url": broker_url(redis_url),
        **tls,
        # States live in the ledger: no result backend, no second truth.
        "task_ignore_result": True,
        # A message that is lost with its worker is handed out again; what is done twice is claimed once.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # What a server refuses for the moment, too: a master without its copies, one whose disk is full.
        "broker_channel_error_retry": True,
        # Nobody who can write to the broker gives workers orders, or has them unpack anything but JSON.
        "worker_enable_remote_control": False,
        "accept_content": ["json"],
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            # One list a lane: the ledger has the order, and the list's length is the number of hints.
            "priority_steps": [0],
            "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
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
