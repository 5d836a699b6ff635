"""What others do to a gateway while requests are measured: callers that wait, WebSockets that idle."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from websockets.sync.client import connect

from benchmarks.gateway.live import HOST, Gateway
from benchmarks.gateway.requests import Account, Picture, waiting_removal

WAITING: Final = 40
IDLE: Final = 40
"""With the connections that are measured, fewer than an address may have."""
PATIENCE_SECONDS: Final = 60


@contextmanager
def waiting_callers(gateway: Gateway, accounts: Sequence[Account]) -> Iterator[None]:
    """Callers that wait for a cut-out, each of another picture; no worker does them."""
    with ExitStack() as callers:
        wanted = gateway.waiting() + WAITING
        for number in range(WAITING):
            caller = callers.enter_context(socket.create_connection((HOST, gateway.port)))
            request = waiting_removal(accounts[number % len(accounts)], Picture(8 + number))
            caller.sendall(request.head + request.picture + request.tail)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (waiting := gateway.waiting()) < wanted:
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"{waiting} pictures wait instead of {wanted}")
            time.sleep(0.1)
        yield


@contextmanager
def idle_sockets(gateway: Gateway, accounts: Sequence[Account]) -> Iterator[None]:
    """Connections that have shown their key and say nothing more."""
    with ExitStack() as opened:
        for number in range(IDLE):
            connection = opened.enter_context(
                connect(f"ws://{HOST}:{gateway.port}/v1", proxy=None, ping_interval=None)
            )
            key = accounts[number % len(accounts)].api_key
            connection.send(json.dumps([{"taskType": "authentication", "apiKey": key}]))
            if "errors" in (answer := json.loads(connection.recv(PATIENCE_SECONDS))):
                raise RuntimeError(f"refused: {answer['errors']}")
        yield
