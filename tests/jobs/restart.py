"""A server that starts anew with its data, as after a crash of its machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from cutgate.jobs.ledger.redis.client import connect

RESTARTABLE: Final = ("--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "local")
"""The server's arguments that `restart` needs."""


def restart(url: str) -> None:
    """Restart a server and return once it answers again."""
    # Without retries: the reply is lost with the connection, and the command must not be sent again.
    with connect(url, retries=0) as client:
        run_id = client.info("server")["run_id"]
        with suppress(RedisError):
            client.execute_command("DEBUG", "RESTART")

        def is_back() -> bool:
            with suppress(RedisError):
                return bool(client.info("server")["run_id"] != run_id)
            return False

        assert eventually(is_back)


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True
